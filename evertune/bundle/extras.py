"""What lies beside a bundle's content: it differs from run to run, so the digest does not cover it.

`extras.json` holds the size and SHA-256 of each such file, so that damage is still found before use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from evertune.bundle.audit import read_checked, read_plain
from evertune.bundle.canonical import MOST_BYTES, damaged, from_canonical, to_canonical
from evertune.bundle.manifest import FileEntry
from evertune.bundle.measurements import FOLDER as MEASUREMENTS
from evertune.bundle.trust import FILE_NAME as SIGNATURES
from evertune.errors import BundleError

FILE_NAME = "extras.json"
ATTESTATION = "attestation.json"
TRAINING = "training"
_BESIDE = {"content", ATTESTATION, TRAINING, FILE_NAME, SIGNATURES, MEASUREMENTS}
_TRAINING_FILE = re.compile(rf"{TRAINING}(/[^/\\\x00]{{1,200}}){{1,20}}")
_MOST_TRAINING_BYTES = 1 << 40  # of one file
# Of a path and of each part of it, in UTF-8: no file system takes longer names, and the folder around needs room.
_LONGEST_PATH_BYTES, _LONGEST_NAME_BYTES = 1000, 255


def read_extras(attestation: Mapping[str, Any], training: Path | None) -> dict[str, bytes]:
    """All files beside the content by relative path, `extras.json` included.

    Args:
        attestation: JSON-serialisable.
        training: Folder of plain files, or None.

    Raises:
        BundleError: The attestation is not JSON, or the training folder holds a link, a pipe, or a name that no reader
            takes.
    """
    try:
        files = {ATTESTATION: to_canonical(dict(attestation))}
    except (TypeError, ValueError) as error:
        raise BundleError(f"the attestation is not JSON: {error}", fix="Use plain JSON values.") from error
    if training is not None:
        for name in _walk(training):
            _require_readable(name)
            files[f"{TRAINING}/{name}"] = read_plain(training, name, _MOST_TRAINING_BYTES)
    entries = {name: vars(FileEntry.of(content)) for name, content in files.items()}
    return {**files, FILE_NAME: to_canonical(entries)}


def check(bundle: Path, prefix: str) -> dict[str, bytes]:
    """Reads the files whose path starts with `prefix` and holds them against `extras.json`.

    Raises:
        BundleError: Names the file that is missing, unknown, a link, or changed.
    """
    listed = {name: entry for name, entry in entries(read_list(bundle)).items() if name.startswith(prefix)}
    folder = bundle / TRAINING
    present = {f"{TRAINING}/{name}" for name in _walk(folder)} if prefix == f"{TRAINING}/" else {ATTESTATION}
    for name in sorted(present ^ set(listed)):
        raise damaged(name, f"is not listed in {FILE_NAME}" if name in present else f"is missing; {FILE_NAME} lists it")
    return {name: read_checked(bundle, name, entry) for name, entry in sorted(listed.items())}


def read_list(bundle: Path) -> bytes:
    """The file `extras.json`.

    Raises:
        BundleError: It is missing, or no plain file.
    """
    return read_plain(bundle, FILE_NAME, MOST_BYTES)


def entries(content: bytes) -> dict[str, FileEntry]:
    """Hash and size by relative path, as `extras.json` lists them.

    Raises:
        BundleError: A path leaves the bundle, or is of something that belongs to no bundle, or an entry is malformed.
    """
    data = from_canonical(content, FILE_NAME)
    for name in data:
        if name != ATTESTATION and not _is_training_file(name):
            raise damaged(FILE_NAME, f"lists the path {name[:140]!r}, which is not allowed")
        if any(str(parent) in data for parent in PurePosixPath(name).parents):
            raise damaged(FILE_NAME, f"lists {name[:140]!r} below a file")
    try:
        return {name: FileEntry.from_json(name, entry) for name, entry in data.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(FILE_NAME, f"holds a bad entry: {error}") from error


def check_names(bundle: Path) -> None:
    """Refuses what belongs to no bundle. Names with a leading dot are what file systems and a running `put` leave.

    Raises:
        BundleError: Names the first such file or folder.
    """
    for name in sorted(os.listdir(bundle)):
        if name not in _BESIDE and not name.startswith("."):
            raise damaged(name, "does not belong to a bundle")


def _require_readable(name: str) -> None:
    if not _is_training_file(f"{TRAINING}/{name}"):
        shown = name[:140].encode("utf-8", "backslashreplace").decode()
        raise BundleError(
            f"the training file {shown!r} has a name that no reader of bundles takes",
            fix=f"Use names of at most 200 characters without backslash, in UTF-8, at most 20 folders deep; the path "
            f"may have {_LONGEST_PATH_BYTES - len(TRAINING) - 1} bytes.",
            file=shown,
        )


def _is_training_file(name: str) -> bool:
    try:
        parts = [part.encode() for part in name.split("/")]
    except UnicodeEncodeError:  # a name on a disk need not be UTF-8
        return False
    too_long = len(name.encode()) > _LONGEST_PATH_BYTES or max(map(len, parts)) > _LONGEST_NAME_BYTES
    return _TRAINING_FILE.fullmatch(name) is not None and not {b".", b".."} & set(parts) and not too_long


def _walk(folder: Path) -> Iterator[str]:
    if folder.is_symlink():
        raise damaged(folder.name, "is a link")
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            if (Path(parent) / name).is_symlink():
                raise damaged(name, "is a link")
        for name in names:
            yield (Path(parent) / name).relative_to(folder).as_posix()
