"""Calibration rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from evertune.rows import Rows
from evertune.tensors import Tensors

MOST_ROWS = 512  # ranges settle early; more rows cost time, and with histograms memory
BATCH_ROWS = 64


def strided(count: int, most: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """At most `most` of `count` positions, evenly spaced, so that ordered rows are all represented.

    Example:
        >>> strided(10, 4).tolist()
        [0, 3, 6, 9]
        >>> strided(2, 4).tolist()
        [0, 1]
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def samples_of(rows: Rows) -> Tensors:
    """Inputs of at most 512 rows, evenly spaced."""
    return {name: value[strided(len(rows), MOST_ROWS)] for name, value in rows.inputs.items()}


def batches(samples: Tensors) -> Iterator[Tensors]:
    """All rows, 64 at a time."""
    for start in range(0, len(next(iter(samples.values()))), BATCH_ROWS):
        yield {name: value[start : start + BATCH_ROWS] for name, value in samples.items()}


def reader_of(samples: Tensors) -> Any:
    """What ONNX Runtime's calibrators read: batches one by one, so that they never hold the values of all rows."""
    from onnxruntime.quantization import CalibrationDataReader

    class Batches(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime ships no types
        """Batches from `set_range`'s first to its last."""

        def __init__(self) -> None:
            self._all = list(batches(samples))
            self._next = iter(self._all)

        def __len__(self) -> int:
            return len(self._all)

        def set_range(self, start_index: int, end_index: int) -> None:
            self._next = iter(self._all[start_index:end_index])

        def get_next(self) -> Tensors | None:
            return next(self._next, None)

    return Batches()
