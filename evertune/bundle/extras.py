"""What lies beside a bundle's content: it differs from run to run, so the digest does not cover it.

`extras.json` holds the size and SHA-256 of each such file, so that damage is still found before use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evertune.bundle.audit import read_checked, read_plain
from evertune.bundle.canonical import damaged, from_canonical, to_canonical
from evertune.bundle.manifest import FileEntry
from evertune.errors import BundleError

FILE_NAME = "extras.json"
ATTESTATION = "attestation.json"
TRAINING = "training"


def read_extras(attestation: Mapping[str, Any], training: Path | None) -> dict[str, bytes]:
    """All files beside the content by relative path, `extras.json` included.

    Args:
        attestation: JSON-serialisable.
        training: Folder of plain files, or None.

    Raises:
        BundleError: The attestation is not JSON, or the training folder holds a link or a pipe.
    """
    try:
        files = {ATTESTATION: to_canonical(dict(attestation))}
    except (TypeError, ValueError) as error:
        raise BundleError(f"the attestation is not JSON: {error}", fix="Use plain JSON values.") from error
    if training is not None:
        for name in _walk(training):
            files[f"{TRAINING}/{name}"] = read_plain(training, name)
    entries = {name: vars(FileEntry.of(content)) for name, content in files.items()}
    return {**files, FILE_NAME: to_canonical(entries)}


def check(bundle: Path, prefix: str) -> dict[str, bytes]:
    """Reads the files whose path starts with `prefix` and holds them against `extras.json`.

    Raises:
        BundleError: Names the file that is missing, unknown, a link, or changed.
    """
    entries = from_canonical(read_plain(bundle, FILE_NAME), FILE_NAME)
    listed = {name for name in entries if name.startswith(prefix)}
    folder = bundle / TRAINING
    present = {f"{TRAINING}/{name}" for name in _walk(folder)} if prefix == f"{TRAINING}/" else {ATTESTATION}
    for name in sorted(present ^ listed):
        raise damaged(name, f"is not listed in {FILE_NAME}" if name in present else f"is missing; {FILE_NAME} lists it")
    try:
        return {name: read_checked(bundle, name, FileEntry(**entries[name])) for name in sorted(listed)}
    except TypeError as error:
        raise damaged(FILE_NAME, f"holds a bad entry: {error}") from error


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            if (Path(parent) / name).is_symlink():
                raise damaged(name, "is a link")
        for name in names:
            yield (Path(parent) / name).relative_to(folder).as_posix()
