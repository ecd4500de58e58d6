"""Suggests trials by Gaussian processes: one objective, or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc
from threadpoolctl import threadpool_limits

from tune.acquisition import log_expected_hypervolume_improvement, log_expected_improvement
from tune.axis import Axis
from tune.gaussian_process import GaussianProcess
from tune.pareto import non_dominated
from tune.warp import warped

Array = npt.NDArray[np.float64]
Worth = Callable[[Array], Array]

_CANDIDATES = 1000
_CLIMBS = 5
_STEPS = 30
_PARENTS = 5  # best trials whose neighbours are candidates
_MARGIN = 0.1  # of the range of costs, from the worst of them to the reference point


class BayesianSampler(BaseSampler):
    """Expected improvement; with two objectives, expected improvement of the hypervolume.

    It begins with points of a scrambled Sobol sequence. Costs are bent so that differences among good trials count
    (`warped`). A trial that failed or was rejected counts as the worst seen, a pruned one never as better than the
    median. What runs now is believed to turn out as predicted. No combination is suggested twice.

    Args:
        seed: Of everything random.
        startup_trials: Trials with an outcome, before there is a model.
    """

    def __init__(self, *, seed: int, startup_trials: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._first = RandomSampler(seed)
        self._sobol_seed = seed
        self._startup_trials = startup_trials
        self._search_space = IntersectionSearchSpace(include_pruned=True)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What all trials had; all else is drawn at random."""
        found = self._search_space.calculate(study)
        return {name: distribution for name, distribution in found.items() if not distribution.single()}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random."""
        return self._first.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The values of a trial."""
        if not search_space:
            return {}
        axes = {name: Axis(distribution) for name, distribution in search_space.items()}
        past = [each for each in study.get_trials(deepcopy=False) if axes.keys() <= each.params.keys()]
        ended = [each for each in past if each.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        completed = sum(each.state == TrialState.COMPLETE for each in ended)
        if len(ended) < self._startup_trials or completed < 2:
            point = self._sobol(list(axes.values()), len(past))
        else:
            with threadpool_limits(1):  # matrices are small: threads that wait for each other cost ten times as much
                point = self._modelled(study, axes, past, ended)
        return {name: axis.decode(number) for (name, axis), number in zip(axes.items(), point, strict=True)}

    def _sobol(self, axes: Sequence[Axis], index: int) -> Array:
        sequence = qmc.Sobol(len(axes), scramble=True, seed=self._sobol_seed).fast_forward(index)
        uniform = sequence.random(1)[0]
        return np.array([axis.draw(np.array([share]))[0] for axis, share in zip(axes, uniform, strict=True)])

    def _modelled(
        self, study: Study, axes: Mapping[str, Axis], past: Sequence[FrozenTrial], ended: Sequence[FrozenTrial]
    ) -> Array:
        points = _encode(axes, ended)
        running = _encode(axes, [each for each in past if each.state == TrialState.RUNNING])
        costs = np.column_stack([warped(column) for column in _costs(study, ended).T])
        categorical = np.array([axis.categorical for axis in axes.values()])
        models = [GaussianProcess(points, column, categorical) for column in costs.T]
        for model in models if len(running) else []:
            model.believe(running)
        parents = points[_best(costs)]
        return self._search(list(axes.values()), _worth(models, points, costs), parents, _encode(axes, past))

    def _search(self, axes: Sequence[Axis], worth: Worth, parents: Array, taken: Array) -> Array:
        """The best point that no trial had: from random points and neighbours of the best trials, uphill."""
        uniform = self._rng.random((_CANDIDATES, len(axes)))
        drawn = np.column_stack([axis.draw(column) for axis, column in zip(axes, uniform.T, strict=True)])
        points = np.vstack([drawn, *(_neighbours(axes, parent) for parent in parents)])
        worths = worth(points)
        visited, values = [points], [worths]
        for start in np.argsort(-worths)[:_CLIMBS]:
            for around, found in _climb(axes, worth, points[start], worths[start]):
                visited.append(around)
                values.append(found)
        points = np.vstack(visited)
        known = {tuple(row) for row in np.round(taken, 9)}
        order = np.argsort(-np.concatenate(values), kind="stable")
        fresh = (index for index in order if tuple(np.round(points[index], 9)) not in known)
        return np.array(points[next(fresh, order[0])])


def _climb(axes: Sequence[Axis], worth: Worth, point: Array, value: float) -> list[tuple[Array, Array]]:
    steps = []
    for _ in range(_STEPS):
        around = _neighbours(axes, point)
        found = worth(around)
        steps.append((around, found))
        best = int(np.argmax(found))
        if found[best] <= value:
            break
        point, value = around[best], found[best]
    return steps


def _neighbours(axes: Sequence[Axis], point: Array) -> Array:
    """Points that differ in one column."""
    moves = [axis.neighbours(number) for axis, number in zip(axes, point, strict=True)]
    around = np.repeat(point[None], sum(map(len, moves)), axis=0)
    columns = np.repeat(np.arange(len(axes)), [len(each) for each in moves])
    around[np.arange(len(around)), columns] = np.concatenate(moves)
    return around


def _encode(axes: Mapping[str, Axis], trials: Sequence[FrozenTrial]) -> Array:
    rows = [[axis.encode(trial.params[name]) for name, axis in axes.items()] for trial in trials]
    return np.array(rows, dtype=np.float64).reshape(len(trials), len(axes))


def _costs(study: Study, trials: Sequence[FrozenTrial]) -> Array:
    """The smaller the better; shape (trials, objectives)."""
    signs = np.array([-1.0 if each == StudyDirection.MAXIMIZE else 1.0 for each in study.directions])
    completed = np.array([signs * each.values for each in trials if each.state == TrialState.COMPLETE])
    worst: Array = completed.max(axis=0)
    middle: Array = np.median(completed, axis=0)

    def cost(trial: FrozenTrial) -> Array:
        if trial.state == TrialState.COMPLETE:
            return np.asarray(signs * trial.values)
        if trial.last_step is None or signs[0] > 0:
            return worst  # a rung metric is one that grows; of a loss it says nothing
        return np.clip(signs * trial.intermediate_values[trial.last_step], middle, worst)

    return np.array([cost(trial) for trial in trials])


def _best(costs: Array) -> npt.NDArray[np.int_]:
    if costs.shape[1] == 1:
        return np.argsort(costs[:, 0], kind="stable")[:_PARENTS]
    return np.array(non_dominated(costs.tolist()), dtype=int)


def _worth(models: Sequence[GaussianProcess], points: Array, costs: Array) -> Worth:
    if len(models) == 1:
        best = models[0].predict(points)[0].min()  # not of the costs: the lowest may be luck
        return lambda points: log_expected_improvement(*models[0].predict(points), best)
    front = np.unique(costs[_best(costs)], axis=0)  # sorted by the first
    reference = costs.max(axis=0) + _MARGIN * np.ptp(costs, axis=0)

    def worth(points: Array) -> Array:
        means, deviations = zip(*(model.predict(points) for model in models), strict=True)
        return log_expected_hypervolume_improvement(
            np.column_stack(means), np.column_stack(deviations), front, reference
        )

    return worth
