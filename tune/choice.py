"""Which trial ships, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evertune.errors import SearchError
from evertune.settings import LimitSettings
from evertune.tensors import Array
from tune.contender import Contender
from tune.record import TrialRecord
from tune.records import no_winner, pareto_of, ranked

_WORTH_RATIO = 1.1  # how much faster or smaller makes up for a lead within noise
_AS_FAST_RATIO = 1.05  # latencies of one and the same file differ by so much


@dataclass(frozen=True)
class Choice:
    """The trial that ships.

    Attributes:
        trial: The winner.
        training: Whose weights ship: the trial's id, or "3.1" for the first training of trial 3 with a fresh seed.
        accuracy: On validation rows, mean of the winner's trainings. They took part in the search: what a bundle
            reports comes from test rows.
        reason: Why, for people.
        tied: More accurate ones that are within noise of the winner, which is faster or smaller.
        contenders: Those within the limits that were compared, the most accurate first.
        pareto: Completed trials that no other beats in accuracy, latency and size at once.
    """

    trial: TrialRecord
    training: str
    accuracy: float
    reason: str
    tied: tuple[Tie, ...]
    contenders: tuple[Contender, ...]
    pareto: tuple[TrialRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """For reports and attestations."""
        return {
            "trial_id": self.trial.trial_id,
            "training": self.training,
            "accuracy": self.accuracy,
            "reason": self.reason,
            "tied": [vars(each) for each in self.tied],
            "contenders": [each.to_json() for each in self.contenders],
            "pareto": [record.trial_id for record in self.pareto],
        }


@dataclass(frozen=True)
class Tie:
    """A trial whose lead over the winner is within noise.

    Attributes:
        trial_id: Of that trial.
        lead: Its accuracy minus the winner's.
        standard_error: Of that difference.
    """

    trial_id: str
    lead: float
    standard_error: float


def choose(
    trials: Sequence[TrialRecord],
    *,
    limits: LimitSettings,
    allowance: float,
    finals: Sequence[TrialRecord] = (),
    latencies: Mapping[str, float] | None = None,
    losses: Callable[[str], Array | None] = lambda training: None,
) -> Choice:
    """Limits first, then accuracy; what is within noise of the most accurate goes to the faster, then the smaller one.

    1. Where some trials were trained again with fresh seeds, only those are compared, by the mean of all their
       trainings: one lucky training wins nothing. One that failed then is out.
    2. What is over `limits` is out, by the latency that was measured alone, where it was.
    3. The others are compared with the most accurate on the same validation rows. One whose difference is at most
       one standard error of it, and at most `allowance`, is tied with it.
    4. Of the tied, the fastest wins, if it is at least 1.1 times as fast as the most accurate; else the smallest of
       those as fast, if that is at least 1.1 times as small; else the most accurate.
    5. Of the winner's trainings the most accurate ships. Their differences are partly luck and partly real, and there
       is nothing better to go by (docs/adr/0010).

    The one-standard-error rule is that of L. Breiman, J. Friedman, R. Olshen and C. Stone, "Classification and
    regression trees" (1984), section 3.4.3, here of paired differences.

    Args:
        trials: Of a search.
        limits: May be tighter than those of the search.
        allowance: Most accuracy that a tie may cost.
        finals: Trainings with fresh seeds: "3.1", "3.2", ...
        latencies: Seconds of a batch by trial, measured alone and interleaved.
        losses: Of a training: of each validation row, in the same order; None where they were not kept. Without them
            only equal accuracies are tied.

    Raises:
        SearchError: No trial completed, or none is within the limits.
    """
    if not ranked(trials):
        raise no_winner(trials)
    compared = _compared(trials, finals, latencies or {}, losses)
    within = [[each for each in group if _over(each, limits) is None] for group in compared]
    feasible = next((group for group in within if group), None)
    if feasible is None:
        closest = compared[0][0]
        raise SearchError(
            f"no trial is within the limits; the most accurate is trial {closest.trial.trial_id}: "
            f"{_over(closest, limits)}",
            fix="Raise [limits], or search under these.",
        )
    best, noise = feasible[0], _seed_variance(feasible)
    tied = [each for each in feasible if each is best or _is_tied(each, best, noise, allowance)]
    winner = _cheapest(tied, best)
    ahead = [each for each in tied if each is not winner and each.accuracy >= winner.accuracy]
    ties = tuple(_tie(each, winner, noise) for each in ahead)
    reason = _reason(winner, best, ties, feasible)
    training, front = winner.trainings[0].trial_id, tuple(pareto_of(trials))
    return Choice(winner.trial, training, winner.accuracy, reason, ties, tuple(feasible), front)


def _compared(
    trials: Sequence[TrialRecord],
    finals: Sequence[TrialRecord],
    latencies: Mapping[str, float],
    losses: Callable[[str], Array | None],
) -> list[list[Contender]]:
    """Finalists, and the others, which only count where no finalist is within the limits; the most accurate first."""
    again: dict[str, list[TrialRecord]] = {}
    for record in finals:
        again.setdefault(record.trial_id.partition(".")[0], []).append(record)
    found = [
        Contender(record, tuple(again.get(record.trial_id, ())), latencies.get(record.trial_id), losses)
        for record in ranked(trials)
    ]
    found.sort(key=lambda each: -each.accuracy)
    sound = [each for each in found if all(run.state == "completed" for run in each.fresh)]
    finalists, others = [each for each in sound if each.fresh], [each for each in sound if not each.fresh]
    return [group for group in (finalists, others) if group] or [found]


def _over(contender: Contender, limits: LimitSettings) -> str | None:
    from export.choose import over_limits  # with ONNX Runtime, which a look at a journal does not need

    return over_limits(
        contender.latency_seconds, contender.size_bytes, limits, memory_bytes=contender.trial.memory_bytes
    )


def _seed_variance(contenders: Sequence[Contender]) -> float:
    """Of one training's accuracy around its trial's mean, pooled; 0 where nothing was trained twice."""
    scores = [each.scores for each in contenders if len(each.scores) > 1]
    freedom = sum(len(each) - 1 for each in scores)
    return sum(float(np.var(each)) * len(each) for each in scores) / freedom if freedom else 0.0


def _standard_error(one: Contender, other: Contender, seed_variance: float) -> float:
    """Of the difference of two accuracies: over rows, which are the same for both, and over seeds."""
    mine, theirs = one.losses, other.losses
    if mine is None or theirs is None or len(mine) != len(theirs) or len(mine) < 2:
        return 0.0
    rows = float(np.var(mine - theirs, ddof=1)) / len(mine)
    return math.sqrt(rows + seed_variance * (1 / len(one.scores) + 1 / len(other.scores)))


def _is_tied(contender: Contender, best: Contender, seed_variance: float, allowance: float) -> bool:
    noise = min(_standard_error(contender, best, seed_variance), allowance)
    return best.accuracy - contender.accuracy <= noise


def _cheapest(tied: Sequence[Contender], best: Contender) -> Contender:
    """The most accurate of those as cheap as the cheapest, where that is worth it."""
    fastest = min(each.latency_seconds for each in tied)
    if fastest * _WORTH_RATIO <= best.latency_seconds:
        return next(each for each in tied if each.latency_seconds <= fastest * _AS_FAST_RATIO)
    as_fast = [each for each in tied if each.latency_seconds <= best.latency_seconds * _AS_FAST_RATIO]
    smallest = min(each.size_bytes for each in as_fast)
    if smallest * _WORTH_RATIO <= best.size_bytes:
        return next(each for each in as_fast if each.size_bytes <= smallest * _WORTH_RATIO)
    return best


def _tie(contender: Contender, winner: Contender, seed_variance: float) -> Tie:
    error = _standard_error(contender, winner, seed_variance)
    return Tie(contender.trial.trial_id, contender.accuracy - winner.accuracy, error)


def _reason(winner: Contender, best: Contender, ties: Sequence[Tie], feasible: Sequence[Contender]) -> str:
    trained = "" if len(winner.scores) == 1 else f", the mean of {len(winner.scores)} trainings"
    head = f"trial {winner.trial.trial_id}: accuracy {winner.accuracy:.4f} on validation rows{trained}"
    if len(feasible) == 1:
        return f"{head}; no other trial that was compared is within the limits"
    if winner is best:
        second = feasible[1]
        return (
            f"{head}, the best within the limits (next is trial {second.trial.trial_id} with {second.accuracy:.4f}); "
            "none within noise of it is faster or smaller by a tenth"
        )
    first = ties[0]
    faster = best.latency_seconds / max(winner.latency_seconds, 1e-12)
    cheaper = f"{faster:.1f} times as fast" if faster >= _WORTH_RATIO else "as fast and smaller"
    return (
        f"{head}; trial {first.trial_id} has {first.lead:.4f} more, within noise (standard error "
        f"{first.standard_error:.4f}), and this one is {cheaper}"
    )
