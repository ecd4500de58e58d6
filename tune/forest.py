"""Where to look next, by what trials of unequal length have shown: a forest over ranks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from keras_tuner.engine import hyperparameters as hp_types

from evertune.tensors import Array

Known = tuple[Mapping[str, Any], float]
"""Values of a trial, and its rank: 0 is the best, 1 the worst."""

_TREES = 100
_CANDIDATES = 1000
_NEAR = 10  # half of the candidates lie near one of so many of the best
_STEP = 0.15  # of the unit interval: how near
_OPTIMISM = 1.5  # standard deviations
_RANDOM_RATIO = 0.1  # of suggestions, so that no part of the space is given up
_GROWTH = 1.1  # the forest is grown anew when a tenth more is known
_FORMER_TRIALS = 10  # of this search
_ABSENT = -1.0  # of a hyperparameter that is not active: trees split it off


class RankForest:
    """Suggests values that extremely randomised trees expect to rank high.

    A rung compares trials of the same length; a trial of another length is on no common scale. Ranks are
    (`Rungs.order`), and no outlier bends them. Trees take conditions, categories and integers as they come. Mean minus
    one and a half standard deviations over the trees is the lower bound that decides; a forest as a model of
    hyperparameters is from Hutter et al. 2011, "Sequential Model-Based Optimization for General Algorithm
    Configuration".

    Args:
        seed: Of candidates, trees, and random suggestions.
        startup: So many trials must be known first.
        former: Trials of an earlier search, on other data. A second forest knows them; the two are averaged, and what
            it says counts as much as so many trials of this search. With them nothing need be known first.
    """

    def __init__(self, *, seed: int, startup: int, former: Sequence[Known] = ()) -> None:
        self._random = np.random.default_rng(seed)
        self._startup = startup
        self._former = former if len(former) >= startup else ()
        self._queue: list[dict[str, Any]] = []
        self._grown_at = 0

    def suggest(self, space: list[Any], known: Sequence[Known]) -> dict[str, Any] | None:
        """Values of the active hyperparameters; None while too little is known.

        Args:
            space: KerasTuner's hyperparameters, parents first.
            known: Every trial that reached a rung, and those that turned out bad.
        """
        if len(known) < self._startup and not self._former:
            return None
        if self._random.random() < _RANDOM_RATIO:
            return self._draw(space)
        if not self._queue or len(known) >= _GROWTH * self._grown_at:
            self._queue, self._grown_at = self._best(space, known), len(known)
        return self._queue.pop(0)

    def _best(self, space: list[Any], known: Sequence[Known]) -> list[dict[str, Any]]:
        learnt = known if len(known) >= self._startup else ()
        candidates = list(self._candidates(space, learnt))
        matrix = _matrix(space, candidates).astype(np.float32)
        weight = len(learnt) / (len(learnt) + _FORMER_TRIALS) if self._former else 1.0
        bound = weight * self._bound(space, learnt, matrix)
        bound += (1.0 - weight) * self._bound(space, self._former, matrix)
        most = max(1, math.ceil((_GROWTH - 1) * len(known)))
        return [candidates[index] for index in np.argsort(bound, kind="stable")[:most]]

    def _bound(self, space: list[Any], known: Sequence[Known], matrix: Array) -> Array:
        """Of each candidate, a row of the matrix; the lower the more promising."""
        if not known:
            return np.zeros(len(matrix))
        from sklearn.ensemble import ExtraTreesRegressor

        forest = ExtraTreesRegressor(_TREES, min_samples_leaf=2, random_state=int(self._random.integers(2**31)))
        forest.fit(_matrix(space, [values for values, _ in known]), [rank for _, rank in known])
        expected = np.stack([tree.predict(matrix) for tree in forest.estimators_])
        bound: Array = expected.mean(axis=0) - _OPTIMISM * expected.std(axis=0)
        return bound

    def _candidates(self, space: list[Any], known: Sequence[Known]) -> Iterator[dict[str, Any]]:
        best = sorted(known or self._former, key=lambda each: each[1])[:_NEAR]
        for number in range(_CANDIDATES // 2):
            yield self._draw(space)
            yield self._draw(space, near=best[number % len(best)][0])

    def _draw(self, space: list[Any], near: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Random values, or such as lie near others."""
        found: dict[str, Any] = {}
        for hp in space:  # `tune.space.walk` says the same, but is too slow for thousands
            if hp.name not in found and all(each.is_active(found) for each in hp.conditions):
                fixed = isinstance(hp, hp_types.Fixed)
                found[hp.name] = hp.value if fixed else hp.prob_to_value(self._chance(hp, near))
        return found

    def _chance(self, hp: Any, near: Mapping[str, Any] | None) -> float:
        if near is None or hp.name not in near:
            return float(self._random.random())
        if _is_category(hp):
            keeps = self._random.random() >= _STEP
            return float(hp.value_to_prob(near[hp.name])) if keeps else float(self._random.random())
        moved = hp.value_to_prob(near[hp.name]) + self._random.normal(0.0, _STEP)
        return float(np.clip(moved, 0.0, 1.0 - 1e-9))


def _is_category(hp: Any) -> bool:
    return isinstance(hp, hp_types.Boolean) or (isinstance(hp, hp_types.Choice) and not hp.ordered)


def _matrix(space: list[Any], trials: Sequence[Mapping[str, Any]]) -> Array:
    """One row a trial, one column a name, in the unit interval; categories by their number."""
    columns: dict[str, list[Any]] = {}
    for hp in space:
        if not isinstance(hp, hp_types.Fixed):
            columns.setdefault(hp.name, []).append(hp)
    return np.array(
        [
            [_position(each, values[name]) if name in values else _ABSENT for name, each in columns.items()]
            for values in trials
        ]
    )


def _position(choices: Sequence[Any], value: Any) -> float:
    """Of a value that one of several hyperparameters of that name holds, each under a condition of its own."""
    for hp in () if value is None else choices:
        try:
            return float(hp.value_to_prob(value))
        except ValueError:
            continue
    return _ABSENT
