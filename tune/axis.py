"""One hyperparameter as a column of numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Array = npt.NDArray[np.float64]

_MANY = 16  # values; up to so many, all are neighbours of each other
_MOVES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # shares of the range; where there are more


@dataclass(frozen=True)
class Axis:
    """Maps values of a distribution of Optuna to numbers from 0 to 1, or to the index of a category."""

    distribution: BaseDistribution

    @property
    def categorical(self) -> bool:
        """Whether values have no order."""
        return isinstance(self.distribution, CategoricalDistribution)

    @property
    def size(self) -> float:
        """How many values; infinite for a continuous one."""
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            return len(distribution.choices)
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        step = distribution.step
        return math.inf if step is None else round((distribution.high - distribution.low) / step) + 1

    def encode(self, value: Any) -> float:
        """The number of a value."""
        internal = self.distribution.to_internal_repr(value)
        return float(internal) if self.categorical else float(self._to_unit(np.array(internal)))

    def decode(self, number: float) -> Any:
        """The value of a number that `snap` returned."""
        return self.distribution.to_external_repr(number if self.categorical else float(self._from_unit(number)))

    def draw(self, uniform: Array) -> Array:
        """Numbers of the axis from numbers in [0, 1)."""
        if self.categorical:
            return np.floor(uniform * self.size)
        if self._distribution.log or math.isinf(self.size):
            return self.snap(uniform)
        return np.floor(uniform * self.size) / max(self.size - 1, 1)  # the ends as often as the rest

    def neighbours(self, number: float) -> Array:
        """Numbers to try in the place of one."""
        if self.categorical:
            return np.delete(np.arange(self.size), int(number))
        if self.size <= _MANY:
            values = self.snap(self._to_unit(self._distribution.low + np.arange(self.size) * self._step))
        else:
            moves = np.array(_MOVES)
            values = np.unique(self.snap(np.concatenate([number - moves, number + moves])))
        others: Array = values[np.abs(values - number) > 1e-12]
        return others

    def snap(self, numbers: Array) -> Array:
        """The nearest numbers that stand for a value."""
        return self._to_unit(self._from_unit(numbers))

    @property
    def _distribution(self) -> FloatDistribution | IntDistribution:
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        return self.distribution

    @property
    def _step(self) -> float:
        return float(self._distribution.step or 0.0)

    def _to_unit(self, values: Array) -> Array:
        low, high = self._ends()
        scaled = np.log(values) if self._distribution.log else values
        unit: Array = np.clip((scaled - low) / (high - low), 0.0, 1.0) if high > low else np.zeros_like(scaled)
        return unit

    def _from_unit(self, numbers: Array | float) -> Array:
        low, high = self._ends()
        values = low + np.clip(numbers, 0.0, 1.0) * (high - low)
        values = np.exp(values) if self._distribution.log else values
        if self._step:
            steps = np.round((values - self._distribution.low) / self._step)
            values = self._distribution.low + steps * self._step
        return np.clip(values, self._distribution.low, self._distribution.high)

    def _ends(self) -> tuple[float, float]:
        low, high = float(self._distribution.low), float(self._distribution.high)
        return (math.log(low), math.log(high)) if self._distribution.log else (low, high)
