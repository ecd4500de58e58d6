"""What a bundle says about itself, and the hashes that hold it to that."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, fields
from typing import Any

from evertune.bundle.canonical import MOST_BYTES, damaged, from_canonical, to_canonical
from evertune.bundle.formats import FORMAT_VERSION as FORMAT_VERSION
from evertune.bundle.formats import migrate
from evertune.bundle.specs import signature_of
from evertune.kinds import KINDS
from evertune.tensors import Signature

FILE_NAME = "manifest.json"
MODEL = "model.onnx"
REQUIRED_FILES = (MODEL, "calibration.json", "reference.json", "golden.json")
OPTIONAL_FILES = ("preprocessing.json",)

# Flat names only: no folders, no "..", no leading dot, nothing that a shell or another system reads differently.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Lower-case tokens: a bundle with a recipe of a newer exporter loads, since nothing at serving time depends on it.
_RECIPE = re.compile(r"[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,7}")
_MOST_MODEL_BYTES = (1 << 31) - 1  # Protocol Buffers; more goes into external data
_MOST_EXTERNAL_BYTES = 1 << 40
_MOST_EXTERNAL_FILES = 64
_LONGEST_NAME = 512


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

    @classmethod
    def from_json(cls, name: str, data: Any) -> FileEntry:
        """The entry of the file `name`, as `vars` gives it.

        Raises:
            ValueError: A field is unknown or of a value that is not allowed.
            TypeError: It is no mapping, or the hash no text.
        """
        if set(data) != {"sha256", "size_bytes"} or not _SHA256.fullmatch(data["sha256"]):
            raise ValueError(f"entry of {name[:140]!r} is malformed")
        if type(data["size_bytes"]) is not int or data["size_bytes"] < 0:
            raise ValueError(f"size of {name[:140]!r} is {str(data['size_bytes'])[:40]}")
        return cls(data["sha256"], data["size_bytes"])


@dataclass(frozen=True)
class Manifest:
    """The head of a bundle; its canonical bytes are hashed to the bundle's digest.

    Attributes:
        format_version: The newest that is known; an older manifest is read as if it were of that version.
        model: Name in URLs, metrics and the registry.
        kind: Of the task: one of `evertune.kinds.KINDS`.
        labels: Class or label names, item ids, or the target's name.
        signature: Inputs and outputs of the graph.
        preprocessing: Names the content file with the host-side steps; empty where the graph does everything.
        recipe: Precision of the model: lower-case tokens joined with "-", such as "int8-static-matmul".
        files: Every content file except the manifest, by name.
        parameters: What the kind needs at serving time, such as `loss_scale`.
        external_data: Sorted names of the content files with weights that `model.onnx` refers to.
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
    external_data: tuple[str, ...] = ()
    _sealed: bytes = field(default=b"", init=False, repr=False, compare=False)  # as read, perhaps of an older format

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
        """The file `manifest.json`: as it was read, or as the newest format has it."""
        return self._sealed or to_canonical(self.to_json())

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
            "external_data": list(self.external_data),
        }

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Parses `manifest.json`, of any known format version.

        Raises:
            BundleError: A newer format, a missing or unknown field, a bad value, or a file name that is a path. Names
                `manifest.json` and the field.
        """
        data = from_canonical(content, FILE_NAME)
        try:
            data = migrate(data, FILE_NAME)
            manifest = cls._parse(data)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise damaged(FILE_NAME, f"holds a bad value: {error}") from error
        manifest._check()
        if to_canonical(manifest.to_json()) != to_canonical(
            data
        ):  # two spellings of one meaning would have two digests
            raise damaged(FILE_NAME, "does not say what it is read as; a value is of another type than it should be")
        object.__setattr__(manifest, "_sealed", content)
        return manifest

    @classmethod
    def _parse(cls, data: dict[str, Any]) -> Manifest:
        expected = {each.name for each in fields(cls) if each.init}
        if set(data) != expected:
            raise damaged(FILE_NAME, f"has fields {sorted(data)}, expected {sorted(expected)}")
        return cls(
            data["format_version"],
            _text(data["model"], "model"),
            _text(data["kind"], "kind"),
            tuple(_text(label, "labels") for label in data["labels"]),
            signature_of(data["signature"]),
            dict(data["preprocessing"]),
            _text(data["recipe"], "recipe"),
            {name: _entry(name, entry) for name, entry in data["files"].items()},
            dict(data["parameters"]),
            tuple(_external(name) for name in data["external_data"]),
        )

    def _check(self) -> None:
        self._check_files()
        if not _RECIPE.fullmatch(self.recipe):
            raise damaged(FILE_NAME, f"has a recipe that is no name: {self.recipe[:80]!r}")
        if len(self.model) > _LONGEST_NAME or not self.model.isprintable():
            raise damaged(FILE_NAME, f"has a model name that is too long or not printable: {self.model[:80]!r}")
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise damaged(FILE_NAME, "has no labels, or the same label twice")
        if self.kind not in KINDS:
            raise damaged(FILE_NAME, f"is of the unknown kind {self.kind[:80]!r}")
        problems = KINDS[self.kind].problems(self.labels, self.parameters)
        if problems:
            raise damaged(FILE_NAME, problems[0][0][:300])
        outputs = KINDS[self.kind].outputs(self.labels)
        if self.signature.outputs != outputs:
            raise damaged(
                FILE_NAME, f"has other outputs in its signature than a {self.kind} of these labels: {outputs}"
            )

    def _check_files(self) -> None:
        wanted = (*REQUIRED_FILES, *self.external_data)
        missing = [name for name in wanted if name not in self.files]
        if missing:
            raise damaged(FILE_NAME, f"lists no {', '.join(missing)}")
        unread = sorted(set(self.files) - {*wanted, *OPTIONAL_FILES})
        if unread:
            raise damaged(FILE_NAME, f"lists {unread[0]}, which nothing reads")
        if list(self.external_data) != sorted(set(self.external_data)):
            raise damaged(FILE_NAME, "has external_data that is not sorted, or names a file twice")
        if len(self.external_data) > _MOST_EXTERNAL_FILES:
            raise damaged(
                FILE_NAME, f"has external_data of {len(self.external_data)} files, over {_MOST_EXTERNAL_FILES}"
            )
        for name, entry in self.files.items():
            most = _MOST_EXTERNAL_BYTES if name in self.external_data else MOST_BYTES
            most = _MOST_MODEL_BYTES if name == MODEL else most
            if entry.size_bytes > most:
                raise damaged(FILE_NAME, f"says that {name} has {str(entry.size_bytes)[:40]} bytes, over {most}")


def _text(value: Any, field_name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{field_name}: {repr(value)[:80]} is not a text")
    return value


def _external(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in (*REQUIRED_FILES, *OPTIONAL_FILES, FILE_NAME):
        raise ValueError(f"external_data: file name {repr(name)[:140]} is not allowed")
    return name


def _entry(name: str, data: Any) -> FileEntry:
    if not _NAME.fullmatch(name) or name == FILE_NAME:
        raise ValueError(f"file name {name[:140]!r} is not allowed")
    return FileEntry.from_json(name, data)
