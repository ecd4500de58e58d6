"""A model, and where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Loaded:
    """What `load_model` gives.

    Attributes:
        model: Of one of the frameworks that have a converter.
        origin: For the lineage: how it was given, file names without folders, SHA-256 of each file.
    """

    model: Any
    origin: Mapping[str, Any]


def file_facts(path: Path) -> dict[str, Any]:
    """Name without its folder, size and SHA-256: paths of the exporting machine stay on it."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return {"file": path.name, "sha256": digest.hexdigest(), "size_bytes": size}
