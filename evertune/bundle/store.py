"""Where bundles live: a folder, or any object store that fsspec reaches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evertune.bundle import extras, measurements
from evertune.bundle.audit import read_content
from evertune.bundle.bundle import Bundle
from evertune.bundle.folder import FolderStore
from evertune.bundle.manifest import FILE_NAME
from evertune.bundle.remote import RemoteStore
from evertune.errors import BundleError

_PREFIX = re.compile(r"[0-9a-f]{8,64}")


class BundleStore:
    """Bundles by digest. A bundle is there whole or not at all, and never changes.

    Args:
        url: Folder, `file://` URL, or an fsspec URL (`s3://bucket/prefix`, `gs://...`, `memory://...`).
        cache: Folder for downloads of a remote store; None: `$XDG_CACHE_HOME/evertune/bundles`.
    """

    def __init__(self, url: str, *, cache: Path | None = None) -> None:
        self.url = url
        path = url.removeprefix("file://")
        self._backend = RemoteStore(url, cache) if "://" in path else FolderStore(Path(path).absolute())

    def put(self, content: Path, *, attestation: Mapping[str, Any], training: Path | None = None) -> Bundle:
        """Stores a content folder with what belongs beside it. The same digest twice keeps the first.

        Args:
            content: As written by `write_content`; it is audited first.
            attestation: Lineage, evaluation, hardware: what differs from run to run.
            training: Folder with weights for a later fine-tuning.

        Raises:
            BundleError: The content is damaged, or the attestation is not JSON. Nothing is stored then.
        """
        manifest, files = read_content(content, None)
        files = {f"content/{name}": data for name, data in files.items()}
        files |= extras.read_extras(attestation, training)
        files[f"content/{FILE_NAME}"] = manifest.to_bytes()  # last: a remote store has no rename, this is the commit
        self._backend.write(manifest.digest, files)
        return self.get(manifest.digest)

    def get(self, digest: str, *, fresh: bool = False) -> Bundle:
        """Opens a bundle, downloading it first where the store is remote.

        Args:
            digest: All 64 hex digits, or a prefix of at least 8 that only one bundle has.
            fresh: Of a downloaded one, look for measurements that other machines have added since. A server must start
                while the store is away, so it does not.

        Raises:
            BundleError: Unknown, ambiguous or damaged.
        """
        full = self._resolve(digest)
        folder = self._backend.fetch(full)
        if folder is None:
            raise self._unknown(digest)
        if fresh:
            self._backend.refresh(full)
        return Bundle.open(folder, expected_digest=full)

    def add_measurement(self, digest: str, record: Mapping[str, Any]) -> Bundle:
        """Puts what another machine measured beside the attestation; content and digest stay as they are.

        Args:
            digest: As in `get`.
            record: Plain JSON; "measured_at" in seconds since the epoch.

        Raises:
            BundleError: The bundle is unknown or damaged.
        """
        bundle = self.get(digest)
        self._backend.append(bundle.digest, *measurements.to_file(record))
        return bundle

    def digests(self) -> list[str]:
        """All bundles that are completely stored, sorted."""
        return sorted(self._backend.digests())

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
