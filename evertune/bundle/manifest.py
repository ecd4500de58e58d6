"""What a bundle says about itself, and the hashes that hold it to that."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from evertune.bundle.canonical import damaged, from_canonical, to_canonical
from evertune.errors import BundleError
from evertune.kinds import KINDS
from evertune.tensors import Signature

FILE_NAME = "manifest.json"
FORMAT_VERSION = 1
RECIPES = re.compile(r"fp32|(fp16|int8|int4)(-[a-z0-9]+)*")  # precision, then how; export/recipes.py has the words
REQUIRED_FILES = ("model.onnx", "calibration.json", "reference.json", "golden.json")

# Flat names only: no folders, no "..", no leading dot, nothing that a shell or another system reads differently.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileEntry:
    """Hash and size of one content file.

    Attributes:
        sha256: 64 hex digits.
        size_bytes: Exact size.
    """

    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, content: bytes) -> FileEntry:
        """The entry for these bytes."""
        return cls(hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True)
class Manifest:
    """The head of a bundle; its canonical bytes are hashed to the bundle's digest.

    Attributes:
        format_version: 1. Readers refuse what they do not know.
        model: Name in URLs, metrics and the registry.
        kind: Of the task: one of `evertune.kinds.KINDS`.
        labels: Class or label names, item ids, or the target's name.
        signature: Inputs and outputs of the graph.
        preprocessing: Names the content file with the host-side steps; empty where the graph does everything.
        recipe: Precision of the model: a name that `RECIPES` matches.
        files: Every content file except the manifest, by name.
        parameters: What the kind needs at serving time, such as `loss_scale`.
    """

    format_version: int
    model: str
    kind: str
    labels: tuple[str, ...]
    signature: Signature
    preprocessing: dict[str, Any]
    recipe: str
    files: dict[str, FileEntry]
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes: the bundle's address, 64 hex digits."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def preprocessing_sha256(self) -> str | None:
        """Two bundles with the same one make the same tensors of the same raw rows."""
        entry = self.files.get(str(self.preprocessing.get("file")))
        return None if entry is None else entry.sha256

    def to_bytes(self) -> bytes:
        """The file `manifest.json`."""
        return to_canonical(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        return {
            "format_version": self.format_version,
            "model": self.model,
            "kind": self.kind,
            "labels": list(self.labels),
            "signature": self.signature.to_json(),
            "preprocessing": self.preprocessing,
            "recipe": self.recipe,
            "files": {name: vars(entry) for name, entry in self.files.items()},
            "parameters": self.parameters,
        }

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Parses `manifest.json`.

        Raises:
            BundleError: Names `manifest.json` and the field that is wrong.
        """
        return cls.from_json(from_canonical(content, FILE_NAME))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Manifest:
        """Inverse of `to_json`; every field is checked.

        Raises:
            BundleError: A newer format, a missing or unknown field, a bad value, or a file name that is a path.
        """
        if data.get("format_version") != FORMAT_VERSION:
            raise BundleError(
                f"{FILE_NAME} has format version {data.get('format_version')!r}, this Evertune reads {FORMAT_VERSION}",
                fix="Upgrade Evertune, or export the model again.",
                file=FILE_NAME,
            )
        if set(data) != set(cls.__dataclass_fields__):
            raise damaged(FILE_NAME, f"has fields {sorted(data)}, expected {sorted(cls.__dataclass_fields__)}")
        try:
            manifest = cls(
                FORMAT_VERSION,
                _text(data["model"]),
                _text(data["kind"]),
                tuple(_text(label) for label in data["labels"]),
                Signature.from_json(data["signature"]),
                dict(data["preprocessing"]),
                _text(data["recipe"]),
                {name: _entry(name, entry) for name, entry in data["files"].items()},
                dict(data["parameters"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(FILE_NAME, f"holds a bad value: {error}") from error
        manifest._check()
        return manifest

    def _check(self) -> None:
        missing = [name for name in REQUIRED_FILES if name not in self.files]
        if missing:
            raise damaged(FILE_NAME, f"lists no {', '.join(missing)}")
        if not RECIPES.fullmatch(self.recipe):
            raise damaged(FILE_NAME, f"has the unknown recipe {self.recipe!r}")
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise damaged(FILE_NAME, "has no labels, or the same label twice")
        if self.kind not in KINDS:
            raise damaged(FILE_NAME, f"is of the unknown kind {self.kind!r}")
        problems = KINDS[self.kind].problems(self.labels, self.parameters)
        if problems:
            raise damaged(FILE_NAME, problems[0][0])
        if not self.signature.inputs or not self.signature.outputs:
            raise damaged(FILE_NAME, "has no inputs or no outputs")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a text")
    return value


def _entry(name: str, data: dict[str, Any]) -> FileEntry:
    if not _NAME.fullmatch(name) or name == FILE_NAME:
        raise ValueError(f"file name {name!r} is not allowed")
    sha256, size_bytes = data["sha256"], data["size_bytes"]
    if set(data) != {"sha256", "size_bytes"} or not _SHA256.fullmatch(sha256):
        raise ValueError(f"entry of {name!r} is malformed")
    if type(size_bytes) is not int or size_bytes < 0:
        raise ValueError(f"size of {name!r} is {size_bytes!r}")
    return FileEntry(sha256, size_bytes)
