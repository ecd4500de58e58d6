"""From KerasTuner's search space to Optuna's distributions, one hyperparameter at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as hp_types
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter in both worlds.

    Attributes:
        hp: KerasTuner's.
        key: Optuna's name. Two hyperparameters of one name under different conditions are different parameters.
        distribution: Optuna's.
    """

    hp: Any
    key: str
    distribution: BaseDistribution

    def to_value(self, internal: Any) -> Any:
        """KerasTuner's value of what Optuna suggested."""
        if isinstance(self.hp, hp_types.Choice) and self.hp.ordered:
            return self.hp.values[internal]
        if _is_unit(self.hp):
            return self.hp.prob_to_value(min(internal, 1.0 - 1e-12))
        return internal

    def to_internal(self, value: Any) -> Any:
        """What Optuna would have suggested for KerasTuner's `value`.

        Raises:
            ValueError: The space does not hold `value`.
        """
        if isinstance(self.hp, hp_types.Choice) and self.hp.ordered:
            return self.hp.values.index(value)
        internal = self.hp.value_to_prob(value) if _is_unit(self.hp) else value
        if not self.distribution._contains(self.distribution.to_internal_repr(internal)) or (
            # KerasTuner's map also takes values between two steps and beyond the last
            _is_unit(self.hp) and not math.isclose(self.to_value(internal), value, rel_tol=1e-9)
        ):
            raise ValueError(f"{self.hp.name} = {value!r} is not in the space {self.distribution}")
        return internal


def active(space: list[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that count: of hyperparameters whose conditions hold."""
    hps = keras_tuner.HyperParameters()
    for hp in space:
        hps.merge([hp])
        if hps.is_active(hp) and hp.name in values:
            hps.values[hp.name] = values[hp.name]
    return {name: value for name, value in hps.values.items() if name in values}


def walk(space: list[Any]) -> Iterator[tuple[Parameter | None, Any, dict[str, Any]]]:
    """Visits the active hyperparameters in order, parents first.

    Yields:
        The parameter (None where there is nothing to choose), KerasTuner's object, and the values so far, into which
        the caller must put the value of this one before going on.
    """
    hps = keras_tuner.HyperParameters()
    for hp in space:
        known = hp.name in hps.values
        hps.merge([hp], overwrite=False)
        if not hps.is_active(hp) or known:
            continue
        if isinstance(hp, hp_types.Fixed):
            hps.values[hp.name] = hp.value
            yield None, hp, hps.values
            continue
        yield Parameter(hp, key(hp), _distribution(hp)), hp, hps.values


def key(hp: Any) -> str:
    """The name, with the conditions under which it exists."""
    conditions = ",".join(f"{each.name}={'|'.join(map(str, each.values))}" for each in hp.conditions)
    return f"{hp.name} if {conditions}" if conditions else str(hp.name)


def is_conditional(space: list[Any]) -> bool:
    """Whether any hyperparameter exists only under a condition."""
    return any(hp.conditions for hp in space)


def _is_unit(hp: Any) -> bool:
    """What Optuna has no distribution for goes through KerasTuner's own map from [0, 1)."""
    numeric = isinstance(hp, hp_types.Int | hp_types.Float)
    return numeric and (hp.sampling == "reverse_log" or (hp.sampling == "log" and hp.step is not None))


def _distribution(hp: Any) -> BaseDistribution:
    if isinstance(hp, hp_types.Boolean):
        return CategoricalDistribution([False, True])
    if isinstance(hp, hp_types.Choice):
        return IntDistribution(0, len(hp.values) - 1) if hp.ordered else CategoricalDistribution(hp.values)
    if _is_unit(hp):
        return FloatDistribution(0.0, 1.0)
    log = hp.sampling == "log"
    if isinstance(hp, hp_types.Int):
        step = hp.step or 1
        return IntDistribution(hp.min_value, hp.min_value + (hp.max_value - hp.min_value) // step * step, log, step)
    if hp.step is None:
        return FloatDistribution(hp.min_value, hp.max_value, log)
    low, high, width = (Decimal(str(each)) for each in (hp.min_value, hp.max_value, hp.step))  # 3 * 0.1 > 0.3
    return FloatDistribution(hp.min_value, float(low + (high - low) // width * width), step=hp.step)
