"""The shipped excerpt of Fashion-MNIST: 12,000 training rows and 8,000 rows that arrive later as a stream.

Both are drawn without overlap from the 60,000 training images by `make_excerpt.py`; the files are numpy arrays
compressed with xz (half a second to read), never pickles.
"""

from __future__ import annotations

import lzma
from functools import cache
from pathlib import Path

import numpy as np

from evertune.rows import Rows
from evertune.tensors import Array

FOLDER = Path(__file__).parent


@cache
def training_rows() -> Rows:
    """12,000 rows: `image` uint8 (12000, 28, 28), labels int64."""
    return _rows("training")


@cache
def stream_rows() -> Rows:
    """8,000 rows that no split of the task holds: `image` uint8 (8000, 28, 28), labels int64."""
    return _rows("stream")


def _rows(part: str) -> Rows:
    return Rows({"image": _array(f"{part}_images")}, _array(f"{part}_labels").astype(np.int64))


def _array(name: str) -> Array:
    with lzma.open(FOLDER / f"{name}.npy.xz") as file:
        array: Array = np.load(file, allow_pickle=False)
    array.setflags(write=False)  # the cached rows are shared by all callers
    return array
