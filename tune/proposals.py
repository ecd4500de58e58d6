"""What to try next: what was enqueued, then what a sampler suggests; never the same values twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tune.forest import Known, RankForest
from tune.memory import Direction, SamplerMemory
from tune.proposal import FINE_TUNE, Proposal
from tune.record import TrialRecord

_SAMPLER_TRIES = 5  # before drawing at random, where the sampler repeats itself
_LEAST_STARTUP, _MOST_STARTUP = 5, 20  # random trials before the forest: a quarter of all
_RANDOM_TRIES = 50  # before a space counts as exhausted


class Proposals:
    """The queue, the sampler, and all values that were ever tried.

    Args:
        enqueue: To try first; what the space does not hold falls back to defaults. Bare values are a "warm start".
        defaults: Try the defaults after that.
        directions: For each objective.
        max_trials: Of the search; decides the sampler.
        seed: Of the sampler.
        former: Trials of an earlier search, and their ranks: for the forest.
    """

    def __init__(
        self,
        enqueue: Iterable[Mapping[str, Any] | Proposal],
        *,
        defaults: bool,
        directions: Sequence[Direction],
        max_trials: int,
        seed: int,
        former: Sequence[Known] = (),
    ) -> None:
        self._queue = [each if isinstance(each, Proposal) else Proposal(each, "warm start") for each in enqueue]
        self._queue += [Proposal({}, "default")] if defaults else []
        startup = min(_MOST_STARTUP, max(_LEAST_STARTUP, max_trials // 4))
        self._forest = RankForest(seed=seed, startup=startup, former=former)
        enqueued = sum(each.origin == "warm start" for each in self._queue)
        self._memory = SamplerMemory(directions=directions, max_trials=max_trials, seed=seed, enqueued=enqueued)
        self._tried: set[frozenset[tuple[str, str]]] = set()
        self._fine_tuned: set[str] = set()  # trials

    def draw(self, trial_id: str, space: list[Any], known: Sequence[Known] | None = None) -> Proposal | None:
        """The next one; None where the space seems to hold nothing new.

        Args:
            trial_id: To tell the outcome later.
            space: KerasTuner's hyperparameters, parents first.
            known: Trials and their ranks, where trials are of unequal length; then the forest suggests.
        """
        while self._queue:
            wanted = self._queue.pop(0)
            self._note(trial_id, wanted.origin)
            values: Mapping[str, Any] = self._memory.ask_fixed(trial_id, space, wanted.values)
            if self._is_new(trial_id, values):
                return Proposal(values, wanted.origin)
        self._note(trial_id, "sampler")
        for attempt in range(_SAMPLER_TRIES + _RANDOM_TRIES):
            values = self._suggest(trial_id, space, known, uniform=attempt >= _SAMPLER_TRIES)
            if self._is_new(trial_id, values):
                return Proposal(values, "sampler")
        return None

    def _suggest(
        self, trial_id: str, space: list[Any], known: Sequence[Known] | None, *, uniform: bool
    ) -> Mapping[str, Any]:
        guided = None if known is None or uniform else self._forest.suggest(space, known)
        if guided is None:
            return self._memory.ask(trial_id, space, uniform=uniform or known is not None)
        return self._memory.ask_fixed(trial_id, space, guided)

    def repeat(self, trial_id: str, space: list[Any], proposal: Proposal) -> None:
        """Draws as an earlier process did, from its journal."""
        if proposal.origin != "sampler":
            self._queue = self._queue[1:]
        self._note(trial_id, proposal.origin)
        self._memory.ask_fixed(trial_id, space, proposal.values)

    def mark(self, values: Mapping[str, Any], trial_id: str | None = None) -> None:
        """These are being tried, and will not be drawn again; a fine-tuned trial leaves its twin to be drawn."""
        self._tried.add(self._identity(trial_id, values))

    def tell(self, record: TrialRecord, objectives: Sequence[float] | None, space: list[Any]) -> None:
        """Lets the sampler learn from an outcome; its values may have grown by what the build asked for.

        Not from a fine-tuned trial: its score says more about the weights it began with than about its values.
        """
        self.mark(record.hyperparameters, record.trial_id)
        if record.trial_id in self._fine_tuned:
            self._memory.forget(record.trial_id)
            return
        self._memory.tell(record.trial_id, record, objectives, space)

    def _is_new(self, trial_id: str, values: Mapping[str, Any]) -> bool:
        if self._identity(trial_id, values) not in self._tried:
            return True
        self._memory.forget(trial_id)
        return False

    def _note(self, trial_id: str, origin: str) -> None:
        (self._fine_tuned.add if origin == FINE_TUNE else self._fine_tuned.discard)(trial_id)

    def _identity(self, trial_id: str | None, values: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
        return _identity(values) | ({("", FINE_TUNE)} if trial_id in self._fine_tuned else frozenset())


def _identity(values: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Numbers to 15 digits: steps of a range differ in the last bit from what a user writes (3 * 0.1 and 0.3)."""
    return frozenset(
        (name, f"{value:.15g}" if isinstance(value, bool | int | float) else f"text {value}")
        for name, value in values.items()
    )
