"""Splits on disk, so that every worker maps the same pages in place of a copy of its own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path

import numpy as np

from evertune.files import write_atomic
from evertune.rows import Rows
from evertune.task import Splits
from evertune.tensors import Array

_INDEX = "index.json"  # written last: where it stands, all is there


def digest(splits: Splits) -> str:
    """SHA-256 of every value of every split: two searches on the same data have the same."""
    found = hashlib.sha256()
    for name, rows in _parts(splits):
        found.update(name.encode())
        for key, value in _arrays(rows).items():
            found.update(f"{key}{value.dtype.str}{value.shape}".encode())
            found.update(np.ascontiguousarray(value).data)
    return found.hexdigest()


def write_splits(splits: Splits, folder: Path) -> str:
    """Writes the splits as `.npy` files, unless the folder already holds the same.

    Returns:
        Their digest.
    """
    known = digest(splits)
    if (folder / _INDEX).exists() and json.loads((folder / _INDEX).read_bytes())["digest"] == known:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _INDEX).unlink(missing_ok=True)
    index: dict[str, dict[str, str]] = {}
    for name, rows in _parts(splits):
        index[name] = {}
        for number, (key, value) in enumerate(_arrays(rows).items()):
            index[name][key] = f"{name}-{number}.npy"  # an input's name need not be a file name
            np.save(folder / index[name][key], value, allow_pickle=False)
    write_atomic(folder / _INDEX, json.dumps({"digest": known, "splits": index}).encode())
    return known


def open_splits(folder: Path) -> Splits:
    """Maps the splits, read-only. Row ids stay behind: no training needs them."""
    index = json.loads((folder / _INDEX).read_bytes())["splits"]
    return Splits(**{name: _open(folder, files) for name, files in index.items()})


def _open(folder: Path, files: dict[str, str]) -> Rows:
    found = {key: np.load(folder / file, mmap_mode="r", allow_pickle=False) for key, file in files.items()}
    inputs = {key.removeprefix("input:"): value for key, value in found.items() if key.startswith("input:")}
    return Rows(inputs, found["labels"], found["times"], found["weights"])


def _parts(splits: Splits) -> list[tuple[str, Rows]]:
    return [(field.name, getattr(splits, field.name)) for field in fields(splits)]


def _arrays(rows: Rows) -> dict[str, Array]:
    inputs = {f"input:{name}": value for name, value in rows.inputs.items()}
    return {**inputs, "labels": rows.labels, "times": rows.times, "weights": rows.weights}
