"""Trials a minute of two workers against one, each of one thread, in searches that take turns."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._harness import Benchmark, Options, Outcome
from evertune.settings import ExportSettings, LimitSettings, TuneSettings
from evertune.task import LabelledWindow
from tune.events import Event, TrialFailed, TrialFinished, TrialPruned, TrialRejected, TrialStarted

_PROJECT = Path(__file__).with_name("_parallel")
_SETUPS = {"one": (1, 1), "two": (2, 1), "one_of_two_threads": (1, 2)}  # workers and threads of each
_ENDS = (TrialFinished, TrialPruned, TrialRejected, TrialFailed)


@dataclass
class _Run:
    """Seconds at which a search's trials started and ended."""

    workers: int
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    failed: int = 0
    driver_seconds: float = 0.0

    def note(self, event: Event) -> None:
        """A search's progress."""
        if isinstance(event, TrialStarted):
            self.starts.append(time.monotonic())
        if isinstance(event, _ENDS):
            self.ends.append(time.monotonic())
            self.failed += isinstance(event, TrialFailed)

    def per_minute(self) -> float:
        """While every worker is at work, and none for the first time: what a worker loads lazily is loaded."""
        first, last = self.workers, len(self.ends) - self.workers + 1
        return 60 * (last - first) / (self.ends[last - 1] - self.ends[first - 1])

    def per_minute_in_all(self) -> float:
        """From the first start to the last end."""
        return 60 * len(self.ends) / (self.ends[-1] - self.starts[0])


def run(options: Options) -> Outcome:
    """Rounds of one search a setup, each round with a seed of its own and in another order."""
    os.environ["KERAS_BACKEND"] = "torch"
    rounds, trials = (2, 8) if options.quick else (5, 16)
    runs: dict[str, list[_Run]] = {name: [] for name in _SETUPS}
    for number in range(rounds):
        order = list(_SETUPS) if number % 2 == 0 else list(reversed(_SETUPS))
        for name in order:
            runs[name].append(_search(*_SETUPS[name], trials, options.seed + number))
            print(f"{name}: {runs[name][-1].per_minute():.2f} a minute", flush=True)
    ratios = [two.per_minute() / one.per_minute() for one, two in zip(runs["one"], runs["two"], strict=True)]
    in_all = [
        two.per_minute_in_all() / one.per_minute_in_all() for one, two in zip(runs["one"], runs["two"], strict=True)
    ]
    figures = {
        "speed_up": statistics.median(ratios),
        "speed_up_least": min(ratios),
        "speed_up_most": max(ratios),
        "speed_up_with_first_trials_and_end": statistics.median(in_all),
        **{
            f"{name}_per_minute": statistics.median(each.per_minute() for each in found) for name, found in runs.items()
        },
        "driver_share_of_a_core": statistics.median(
            each.driver_seconds / (each.ends[-1] - each.starts[0]) for each in runs["two"]
        ),
        "failed_trials": sum(each.failed for found in runs.values() for each in found),
    }
    targets = {"speed_up": (">=", 1.7), "failed_trials": ("<=", 0.0)}
    return Outcome(
        figures, targets, {"rounds": rounds, "trials_a_search": trials, "load_at_the_end": os.getloadavg()[0]}
    )


def _search(workers: int, threads: int, trials: int, seed: int) -> _Run:
    from tune import search

    found = _Run(workers)
    before = time.process_time()

    def note(event: Event) -> None:
        nonlocal before
        if isinstance(event, TrialStarted) and not found.starts:
            before = time.process_time()
        found.note(event)
        found.driver_seconds = time.process_time() - before

    with tempfile.TemporaryDirectory(prefix="parallel-") as folder:
        search(
            "task.py:Even",
            project_root=_PROJECT,
            window=LabelledWindow(),
            folder=Path(folder) / "study",
            settings=TuneSettings(max_trials=trials, max_epochs=1, workers=workers, threads=threads, seed=seed),
            limits=LimitSettings(latency_seconds=1.0),
            export=ExportSettings(),
            progress=note,
        )
    return found


BENCHMARK = Benchmark(
    "trials a minute of two workers of one thread, beside one of one and one of two threads",
    "15 minutes, 5 with --quick",
    run,
)
