"""The sealed artifact."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evertune.bundle import confidence, extras, measurements, preprocessing, reference, trust
from evertune.bundle import golden as golden_file
from evertune.bundle.audit import DIGEST, read_checked, read_content, read_plain
from evertune.bundle.canonical import from_canonical
from evertune.bundle.confidence import ConfidenceMap
from evertune.bundle.golden import Golden
from evertune.bundle.graph import audit_graph
from evertune.bundle.manifest import MODEL, Manifest
from evertune.bundle.reference import Reference
from evertune.preprocessing import Preprocessor

if TYPE_CHECKING:
    from evertune.runtime.session import Session

CPU = ("CPUExecutionProvider",)


@dataclass(frozen=True, eq=False)
class Bundle:
    """An immutable folder, addressed by the SHA-256 of its manifest, which holds the SHA-256 of every content file.

    Opening parses, then audits, then constructs; nothing in a bundle is ever unpickled or executed.

    Attributes:
        digest: 64 hex digits.
        path: The folder that holds `content/`, or the content folder itself for a draft that no store holds yet.
        manifest: Signature, labels, recipe, hashes.
        calibration: Raw top probability to probability of being right.
        reference: What monitoring compares with.
        golden: Rows that prove a load.
        preprocessor: From raw columns to the graph's inputs; None where clients send tensors.
    """

    digest: str
    path: Path
    manifest: Manifest
    calibration: ConfidenceMap
    reference: Reference
    golden: Golden
    preprocessor: Preprocessor | None = None

    @classmethod
    def open(cls, folder: Path, *, expected_digest: str | None = None) -> Bundle:
        """Audits a bundle on disk and reads everything but the model.

        Args:
            folder: A bundle (`<digest>/`, with `content/` in it) or a bare content folder.
            expected_digest: The address it must have. A folder that is named by a digest must have that one.

        Raises:
            BundleError: Names the file that is missing, changed, unknown, a link, or malformed.
        """
        if _content_of(folder) != folder:
            extras.check_names(folder)
        if expected_digest is None and DIGEST.fullmatch(folder.name):
            expected_digest = folder.name
        manifest, files = read_content(_content_of(folder), expected_digest)
        golden = Golden.from_json(from_canonical(files[golden_file.FILE_NAME], golden_file.FILE_NAME))
        golden.fit(manifest.signature)
        return cls(
            manifest.digest,
            folder,
            manifest,
            ConfidenceMap.from_json(from_canonical(files[confidence.FILE_NAME], confidence.FILE_NAME)),
            Reference.from_json(from_canonical(files[reference.FILE_NAME], reference.FILE_NAME)),
            golden,
            preprocessing.read(manifest.preprocessing, files, manifest.signature),
        )

    def signatures(self) -> bytes | None:
        """The file `signatures.json`, not checked; None where nobody signed.

        Raises:
            BundleError: It is no plain file.
        """
        if self.content_path == self.path or not os.path.lexists(self.path / trust.FILE_NAME):
            return None
        return read_plain(self.path, trust.FILE_NAME, trust.MOST_BYTES)

    def check_trust(self, trusted: Collection[str]) -> None:
        """Refuses a bundle whose content, attestation and training files no trusted key has signed.

        Args:
            trusted: Public keys, 64 hex digits each.

        Raises:
            BundleError: It is unsigned, signed by others only, or was changed after it was signed.
        """
        signatures = self.signatures()
        listed = extras.read_list(self.path) if signatures is not None else b""
        trust.check_trust(self.digest, listed, signatures, trusted)
        self.attestation()  # both are held against what was signed
        _ = self.training_path

    @property
    def content_path(self) -> Path:
        """Folder of the files that the digest covers."""
        return _content_of(self.path)

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.content_path / MODEL

    @property
    def training_path(self) -> Path | None:
        """Folder with what a later fine-tuning needs (weights without pickles), where it was kept.

        Raises:
            BundleError: A file in it was changed since it was stored.
        """
        if not self._has_beside(extras.TRAINING):
            return None
        found = extras.check(self.path, f"{extras.TRAINING}/")
        return self.path / extras.TRAINING if found else None

    def attestation(self) -> dict[str, Any] | None:
        """Lineage, evaluation, rejected candidates, hardware; None for a draft that no store holds yet.

        Raises:
            BundleError: The file was changed since it was stored.
        """
        if not self._has_beside(extras.ATTESTATION):
            return None
        return from_canonical(extras.check(self.path, extras.ATTESTATION)[extras.ATTESTATION], extras.ATTESTATION)

    def measurements(self) -> list[dict[str, Any]]:
        """What machines measured after it was sealed, oldest first; see `BundleStore.add_measurement`.

        Raises:
            BundleError: A record was changed since it was stored.
        """
        return measurements.read(self.path)

    def _has_beside(self, name: str) -> bool:
        """False for a draft, and for bare content that somebody brought here without what was beside it."""
        names = (name, extras.FILE_NAME)
        return self.content_path != self.path and any(os.path.lexists(self.path / each) for each in names)

    @property
    def size_bytes(self) -> int:
        """Of the ONNX file and the files with weights that it refers to."""
        return sum(self.manifest.files[name].size_bytes for name in (MODEL, *self.manifest.external_data))

    def model_bytes(self) -> bytes:
        """The ONNX model, hashed again now, so that what is loaded is what was sealed.

        Raises:
            BundleError: The file was changed after the bundle was opened.
        """
        return read_checked(self.content_path, MODEL, self.manifest.files[MODEL])

    def audit(self) -> None:
        """Reads the graph and refuses what no honest export has; `session` does so first.

        Raises:
            BundleError: See `evertune.bundle.graph.audit_graph`.
        """
        self._audited()

    def _audited(self) -> bytes:
        model, files = self.model_bytes(), self.manifest.files
        audit_graph(model, MODEL, {name: files[name].size_bytes for name in self.manifest.external_data})
        return model

    def session(self, *, threads: int = 1, providers: tuple[str, ...] = CPU) -> Session:
        """Audits the graph and loads it, and nothing more; see `verified_session` for serving.

        Raises:
            BundleError: The audit or ONNX Runtime refuses the model, or a file was changed.
        """
        from evertune.runtime.session import Session  # ONNX Runtime is not needed to read a manifest

        manifest = self.manifest
        return Session(
            self._audited(),
            manifest.signature,
            threads=threads,
            providers=providers,
            external_data={
                name: read_checked(self.content_path, name, manifest.files[name]) for name in manifest.external_data
            },
        )

    def verified_session(self, *, threads: int = 1, providers: tuple[str, ...] = CPU) -> Session:
        """Loads the model and proves it on the golden rows.

        Raises:
            BundleError: As `session`, or the outputs differ from the sealed ones.
        """
        session = self.session(threads=threads, providers=providers)
        try:
            outputs = session.run(self.golden.inputs)
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise self.golden.refuse(f"ONNX Runtime does not run them: {str(error)[:300]}") from error
        self.golden.check(outputs)
        return session


def _content_of(folder: Path) -> Path:
    content = folder / "content"
    return content if content.is_dir() or content.is_symlink() else folder
