"""Measurements that other machines add to a stored bundle, beside its attestation.

Each is a file of its own, named by the SHA-256 of its content, so that none changes another and damage shows.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evertune.bundle.audit import read_plain
from evertune.bundle.canonical import damaged, finite, from_canonical, to_canonical
from evertune.errors import BundleError

FOLDER = "measurements"
FILE_NAME_OF_RECORD = re.compile(r"[0-9a-f]{64}\.json")
_MOST_BYTES = 1_000_000


def to_file(record: Mapping[str, Any]) -> tuple[str, bytes]:
    """Path inside the bundle and content of a record, which must be plain JSON.

    Raises:
        BundleError: It has no target, or its "measured_at" is no number.
    """
    _check(record, FOLDER)
    content = to_canonical(dict(record))
    return f"{FOLDER}/{hashlib.sha256(content).hexdigest()}.json", content


def read(bundle: Path) -> list[dict[str, Any]]:
    """The records, oldest first by their field "measured_at".

    Raises:
        BundleError: A file or the folder is a link, a file is not named by its hash, or holds no record.
    """
    folder = bundle / FOLDER
    if folder.is_symlink():
        raise damaged(FOLDER, "is a link")
    found = [_read(path) for path in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda record: finite(record.get("measured_at", 0.0)))


def move(source: Path, target: Path) -> None:
    """Moves the sound records of one bundle folder to another; damaged ones stay."""
    folder = source / FOLDER
    if folder.is_symlink():
        return
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(BundleError):
            _read(path)
            (target / FOLDER).mkdir(exist_ok=True)
            path.rename(target / FOLDER / path.name)


def _read(path: Path) -> dict[str, Any]:
    name = f"{FOLDER}/{path.name}"
    if not FILE_NAME_OF_RECORD.fullmatch(path.name):
        raise damaged(name, "is no measurement")
    content = read_plain(path.parent, path.name, _MOST_BYTES)
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise damaged(name, "does not hash to its name")
    record = from_canonical(content, name)
    _check(record, name)
    return record


def _check(record: Mapping[str, Any], name: str) -> None:
    if not isinstance(record.get("target"), str):
        raise damaged(name, "holds a measurement without a target")
    try:
        finite(record.get("measured_at", 0.0))
    except (ValueError, OverflowError) as error:
        raise damaged(name, f"holds a bad measured_at: {error}") from error
