"""Where bundles live: a folder, or any object store that fsspec reaches."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evertune.bundle import extras, measurements, trust
from evertune.bundle.audit import read_content
from evertune.bundle.bundle import Bundle
from evertune.bundle.folder import FolderStore
from evertune.bundle.manifest import FILE_NAME
from evertune.bundle.remote import RemoteStore
from evertune.errors import BundleError, SettingsError

if TYPE_CHECKING:
    from evertune.settings import Project

_PREFIX = re.compile(r"[0-9a-f]{8,64}")


class BundleStore:
    """Bundles by digest. A bundle is there whole or not at all, and its content never changes.

    Args:
        url: Folder, `file://` URL, or an fsspec URL (`s3://bucket/prefix`, `gs://...`, `memory://...`).
        cache: Folder for downloads of a remote store; None: `$XDG_CACHE_HOME/evertune/bundles`.
        trusted: Public keys of which one must have signed what `get` gives out; empty: no signature is asked for.
        signing_key: File of a private key that signs what is put; None: nothing is signed.
    """

    def __init__(
        self, url: str, *, cache: Path | None = None, trusted: Collection[str] = (), signing_key: Path | None = None
    ) -> None:
        self.url = url
        self._trusted, self._signing_key = frozenset(trusted), signing_key
        path = url.removeprefix("file://")
        self._backend = RemoteStore(url, cache) if "://" in path else FolderStore(Path(path).absolute())

    @classmethod
    def of(cls, project: Project) -> BundleStore:
        """A project's store, with the signatures that its settings ask for."""
        trusted = project.settings.bundles.require_signature_of
        return cls(project.bundle_url, trusted=trusted, signing_key=project.signing_key_path)

    def put(self, content: Path, *, attestation: Mapping[str, Any], training: Path | None = None) -> Bundle:
        """Stores a content folder with what belongs beside it, and signs it where the store has a signing key.

        The same digest twice keeps the first, unless that is to be signed and was not: what nobody vouched for then
        makes way for what is signed now.

        Args:
            content: As written by `write_content`; it is audited first.
            attestation: Lineage, evaluation, hardware: what differs from run to run.
            training: Folder with weights for a later fine-tuning.

        Returns:
            The bundle as stored. That others would believe it is not asked here: it may be signed elsewhere, later.

        Raises:
            BundleError: The content is damaged, or the attestation is not JSON. Nothing is stored then.
            SettingsError: The signing key cannot be used.
        """
        signer = self._signer()
        manifest, checked = read_content(content, None)
        files: dict[str, bytes | Path] = {f"content/{name}": data for name, data in checked.items()}
        files |= {f"content/{name}": content / name for name in manifest.external_data}
        beside = extras.read_extras(attestation, training)
        files |= beside
        if signer is not None:
            files[trust.FILE_NAME] = signer.sign(manifest.digest, beside[extras.FILE_NAME])
        files[f"content/{FILE_NAME}"] = manifest.to_bytes()  # last: a remote store has no rename, this is the commit
        replace = signer is not None and not self._is_signed_by(manifest.digest, signer.public_key)
        self._backend.write(manifest.digest, files, replace=replace)
        return self._open(manifest.digest, again=replace)

    def get(self, digest: str, *, fresh: bool = False) -> Bundle:
        """Opens a bundle, downloading it first where the store is remote.

        Args:
            digest: All 64 hex digits, or a prefix of at least 8 that only one bundle has.
            fresh: Of a downloaded one, look for measurements that other machines have added since. A server must start
                while the store is away, so it does not.

        Raises:
            BundleError: Unknown, ambiguous or damaged, or no trusted key has signed it.
        """
        full = self._resolve(digest)
        bundle = self._open(full)
        if self._trusted:
            try:
                bundle.check_trust(self._trusted)
            except BundleError:
                bundle = self._open(full, again=True)  # a download may be older than the signature
                bundle.check_trust(self._trusted)
        if fresh:
            self._backend.refresh(full)
        return bundle

    def sign(self, digest: str) -> str:
        """Signs a bundle that is stored already, with its attestation and training files as they are now.

        Returns:
            The public key.

        Raises:
            BundleError: Unknown, ambiguous or damaged.
            SettingsError: There is no signing key, or it cannot be used.
        """
        signer = self._signer()
        if signer is None:
            fix = "Make a key with `evertune key signing` and set bundles.signing_key."
            raise SettingsError("there is no signing key", fix=fix, key="bundles.signing_key")
        bundle = self._open(self._resolve(digest), again=True)
        bundle.attestation()
        _ = bundle.training_path
        made = signer.sign(bundle.digest, extras.read_list(bundle.path))
        self._backend.write_beside(bundle.digest, trust.FILE_NAME, trust.merge(bundle.signatures(), made))
        bundle.check_trust({signer.public_key})
        return signer.public_key

    def add_measurement(self, digest: str, record: Mapping[str, Any]) -> Bundle:
        """Puts what another machine measured beside the attestation; content and digest stay as they are.

        Args:
            digest: As in `get`. No signature is asked for: whoever seals without a key adds to what is signed later.
            record: Plain JSON with a "target"; "measured_at" in seconds since the epoch.

        Raises:
            BundleError: The bundle is unknown or damaged, or the record is malformed.
        """
        bundle = self._open(self._resolve(digest))
        self._backend.append(bundle.digest, *measurements.to_file(record))
        return bundle

    def digests(self) -> list[str]:
        """All bundles that are completely stored, sorted."""
        return sorted(self._backend.digests())

    def _open(self, digest: str, *, again: bool = False) -> Bundle:
        folder = self._backend.fetch(digest, again=again)
        if folder is None:
            raise self._unknown(digest)
        return Bundle.open(folder, expected_digest=digest)

    def _signer(self) -> trust.Signer | None:
        return None if self._signing_key is None else trust.Signer(self._signing_key)

    def _is_signed_by(self, digest: str, public_key: str) -> bool:
        try:
            self._open(digest, again=True).check_trust({public_key})
        except BundleError:
            return False
        return True

    def _resolve(self, prefix: str) -> str:
        if not _PREFIX.fullmatch(prefix):
            raise BundleError(f"{prefix[:80]!r} is no bundle digest", fix="Give 8 to 64 hex digits.")
        if len(prefix) == 64:
            return prefix
        found = [digest for digest in self.digests() if digest.startswith(prefix)]
        if len(found) > 1:
            raise BundleError(f"{prefix} fits {len(found)} bundles", fix="Give more digits.", found=found)
        if not found:
            raise self._unknown(prefix)
        return found[0]

    def _unknown(self, digest: str) -> BundleError:
        return BundleError(
            f"no bundle {digest[:64]} in {self.url}",
            fix="Export one with `evertune tune` or `evertune export`, or check [store] bundle_url.",
            digest=digest[:64],
        )
