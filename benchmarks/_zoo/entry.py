"""One model of the zoo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evertune.kinds import kind_of
from evertune.tensors import Signature, Tensors, TensorSpec

ROWS = 96
_FREE_LENGTH = 13  # of an axis of any length


@dataclass(frozen=True)
class Entry:
    """A model with what it takes and gives.

    Attributes:
        name: Unique in its framework.
        build: Makes it, its numbers drawn from the generator given.
        inputs: As a task would declare them.
        kind: Of the task.
        classes: Columns of the answer.
        below: By integer input: its values are drawn from 0 to this, exclusive. 256 for uint8.
        extra: Outputs beside the kind's own.
        missing_ratio: Share of float values that are NaN, for models that take them.
        quick: Part of the quick run.
    """

    name: str
    build: Callable[[np.random.Generator], Any]
    inputs: tuple[TensorSpec, ...]
    kind: str = "classification"
    classes: int = 3
    below: Mapping[str, int] = field(default_factory=dict)
    extra: tuple[TensorSpec, ...] = ()
    missing_ratio: float = 0.0
    quick: bool = False

    @property
    def signature(self) -> Signature:
        """Inputs, the kind's output, and the others."""
        outputs = kind_of(self.kind).outputs(tuple(str(number) for number in range(self.classes)))
        return Signature(self.inputs, (*outputs, *self.extra))

    def rows(self, generator: np.random.Generator) -> Tensors:
        """Random inputs: floats around zero, integers over their range."""
        found: Tensors = {}
        for spec in self.inputs:
            shape = (ROWS, *(_FREE_LENGTH if size is None else size for size in spec.shape))
            if np.dtype(spec.dtype).kind == "f":
                values = 1.5 * generator.standard_normal(shape)
                values[generator.random(shape) < self.missing_ratio] = np.nan
                found[spec.name] = values.astype(spec.dtype)
            else:
                highest = self.below.get(spec.name, 256 if spec.dtype == "uint8" else 2)
                found[spec.name] = generator.integers(0, highest, shape).astype(spec.dtype)
        return found


IMAGE = (TensorSpec("image", "uint8", (16, 16)),)
VECTOR = (TensorSpec("x", "float32", (6,)),)
SEQUENCE = (TensorSpec("x", "float32", (10, 5)),)
TOKENS = (TensorSpec("ids", "int64", (12,)),)
FREE_TOKENS = (TensorSpec("ids", "int64", (None,)),)
VOCABULARY = 40
