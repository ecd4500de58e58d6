"""Draws the shipped excerpt from the IDX files: `EVERTUNE_DATA=folder python -m examples.fashion_mnist.make_excerpt`.

The folder holds `fashion-mnist/train-{images-idx3,labels-idx1}-ubyte.gz` as published by Zalando Research.
Running it again writes the same bytes.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
from pathlib import Path

import numpy as np

from evertune.files import write_atomic
from evertune.tensors import Array
from examples.fashion_mnist.data import FOLDER

_SEED = 20170825  # the day Fashion-MNIST was published; any fixed number would do
_PARTS = {"training": 12_000, "stream": 8_000}


def main() -> None:
    """Writes the four files beside this one."""
    source = Path(os.environ["EVERTUNE_DATA"]) / "fashion-mnist"
    images = _read(source / "train-images-idx3-ubyte.gz", header_bytes=16).reshape(-1, 28, 28)
    labels = _read(source / "train-labels-idx1-ubyte.gz", header_bytes=8)
    _, distinct = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)
    order = np.random.default_rng(_SEED).permutation(np.sort(distinct))  # an image drawn twice would leak into a test
    start = 0
    for part, count in _PARTS.items():
        drawn = order[start : start + count]
        _write(f"{part}_images", images[drawn])
        _write(f"{part}_labels", labels[drawn])
        start += count


def _read(path: Path, *, header_bytes: int) -> Array:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header_bytes)


def _write(name: str, array: Array) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_atomic(FOLDER / f"{name}.npy.xz", lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
