"""Measurements that other machines add to a stored bundle, beside its attestation.

Each is a file of its own, named by the SHA-256 of its content, so that none changes another and damage shows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evertune.bundle.audit import read_plain
from evertune.bundle.canonical import damaged, from_canonical, to_canonical

FOLDER = "measurements"
FILE_NAME_OF_RECORD = re.compile(r"[0-9a-f]{64}\.json")
_MOST_BYTES = 1_000_000


def to_file(record: Mapping[str, Any]) -> tuple[str, bytes]:
    """Path inside the bundle and content of a record, which must be plain JSON."""
    content = to_canonical(dict(record))
    return f"{FOLDER}/{hashlib.sha256(content).hexdigest()}.json", content


def read(bundle: Path) -> list[dict[str, Any]]:
    """The records, oldest first by their field "measured_at".

    Raises:
        BundleError: A file or the folder is a link, a file is not named by its hash, or holds no JSON.
    """
    folder = bundle / FOLDER
    if folder.is_symlink():
        raise damaged(FOLDER, "is a link")
    found = []
    for path in sorted(folder.glob("*.json")):
        if not FILE_NAME_OF_RECORD.fullmatch(path.name):
            raise damaged(f"{FOLDER}/{path.name}", "is no measurement")
        content = read_plain(path.parent, path.name, _MOST_BYTES)
        if hashlib.sha256(content).hexdigest() != path.stem:
            raise damaged(f"{FOLDER}/{path.name}", "does not hash to its name")
        found.append(from_canonical(content, path.name))
    return sorted(found, key=lambda record: float(record.get("measured_at", 0.0)))
