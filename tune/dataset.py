"""Splits on disk, so that every worker maps the same pages in place of a copy of its own."""

from __future__ import annotations

import hashlib
import json
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
    for name, rows in splits.parts.items():
        found.update(name.encode())
        for key, value in _arrays(rows).items():
            found.update(f"{key}{value.dtype.str}{value.shape}".encode())
            found.update(np.ascontiguousarray(value).data)
    for name, mask in splits.slices.items():
        found.update(f"slice:{name}".encode() + np.ascontiguousarray(mask).tobytes())
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
    arrays = {name: _arrays(rows) for name, rows in splits.parts.items()} | {"slices": dict(splits.slices)}
    for name, values in arrays.items():
        index[name] = {}
        for number, (key, value) in enumerate(values.items()):
            index[name][key] = f"{name}-{number}.npy"  # an input's name need not be a file name
            np.save(folder / index[name][key], value, allow_pickle=False)
    write_atomic(folder / _INDEX, json.dumps({"digest": known, "splits": index}).encode())
    return known


def open_splits(folder: Path) -> Splits:
    """Maps the splits, read-only. Row ids stay behind: no training needs them."""
    index = json.loads((folder / _INDEX).read_bytes())["splits"]
    slices = {name: _load(folder, file) for name, file in index.pop("slices", {}).items()}
    parts = {name: _open(folder, files) for name, files in index.items()}
    return Splits(parts["train"], parts["validation"], parts["calibration"], parts["test"], slices=slices)


def _load(folder: Path, file: str) -> Array:
    array: Array = np.load(folder / file, mmap_mode="r", allow_pickle=False)
    return array


def _open(folder: Path, files: dict[str, str]) -> Rows:
    found = {key: _load(folder, file) for key, file in files.items()}
    inputs = {key.removeprefix("input:"): value for key, value in found.items() if key.startswith("input:")}
    return Rows(inputs, found["labels"], found["times"], found["weights"])


def _arrays(rows: Rows) -> dict[str, Array]:
    inputs = {f"input:{name}": value for name, value in rows.inputs.items()}
    return {**inputs, "labels": rows.labels, "times": rows.times, "weights": rows.weights}
