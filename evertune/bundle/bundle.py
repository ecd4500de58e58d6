"""The sealed artifact."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evertune.bundle import confidence, extras, measurements, preprocessing, reference
from evertune.bundle import golden as golden_file
from evertune.bundle.audit import DIGEST, read_checked, read_content
from evertune.bundle.canonical import from_canonical
from evertune.bundle.confidence import ConfidenceMap
from evertune.bundle.golden import Golden
from evertune.bundle.manifest import Manifest
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
        if expected_digest is None and DIGEST.fullmatch(folder.name):
            expected_digest = folder.name
        manifest, files = read_content(_content_of(folder), expected_digest)
        return cls(
            manifest.digest,
            folder,
            manifest,
            ConfidenceMap.from_json(from_canonical(files[confidence.FILE_NAME], confidence.FILE_NAME)),
            Reference.from_json(from_canonical(files[reference.FILE_NAME], reference.FILE_NAME)),
            Golden.from_json(from_canonical(files[golden_file.FILE_NAME], golden_file.FILE_NAME)),
            preprocessing.read(manifest.preprocessing, files, manifest.signature),
        )

    @property
    def content_path(self) -> Path:
        """Folder of the files that the digest covers."""
        return _content_of(self.path)

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.content_path / "model.onnx"

    @property
    def training_path(self) -> Path | None:
        """Folder with what a later fine-tuning needs (weights without pickles), where it was kept.

        Raises:
            BundleError: A file in it was changed since it was stored.
        """
        folder = self.path / extras.TRAINING
        if self.content_path == self.path or not folder.is_dir():
            return None
        extras.check(self.path, f"{extras.TRAINING}/")
        return folder

    def attestation(self) -> dict[str, Any] | None:
        """Lineage, evaluation, rejected candidates, hardware; None for a draft that no store holds yet.

        Raises:
            BundleError: The file was changed since it was stored.
        """
        if self.content_path == self.path or not (self.path / extras.ATTESTATION).exists():
            return None
        attestation: dict[str, Any] = json.loads(extras.check(self.path, extras.ATTESTATION)[extras.ATTESTATION])
        return attestation

    def measurements(self) -> list[dict[str, Any]]:
        """What machines measured after it was sealed, oldest first; see `BundleStore.add_measurement`.

        Raises:
            BundleError: A record was changed since it was stored.
        """
        return measurements.read(self.path)

    def model_bytes(self) -> bytes:
        """The ONNX model, hashed again now, so that what is loaded is what was sealed.

        Raises:
            BundleError: The file was changed after the bundle was opened.
        """
        return read_checked(self.content_path, "model.onnx", self.manifest.files["model.onnx"])

    def session(self, *, threads: int = 1, providers: tuple[str, ...] = CPU) -> Session:
        """Loads the model and nothing more; see `verified_session` for serving.

        Raises:
            BundleError: ONNX Runtime refuses the model, or the file was changed.
        """
        from evertune.runtime.session import Session  # ONNX Runtime is not needed to read a manifest

        return Session(self.model_bytes(), self.manifest.signature, threads=threads, providers=providers)

    def verified_session(self, *, threads: int = 1, providers: tuple[str, ...] = CPU) -> Session:
        """Loads the model and proves it on the golden rows.

        Raises:
            BundleError: As `session`, or the outputs differ from the sealed ones.
        """
        session = self.session(threads=threads, providers=providers)
        self.golden.check(session.run(self.golden.inputs))
        return session


def _content_of(folder: Path) -> Path:
    content = folder / "content"
    return content if content.is_dir() or content.is_symlink() else folder
