"""`tune.search`, as `evertune tune` calls it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks._real.task import EPOCHS, EXPORT, LIMITS

_MOST_TRIALS = 1000


def evertune_search(backend: str, seed: int, report: Callable[[float | None, bool], None]) -> None:
    """Two workers of one thread; every trial is checked untrained and scored on its artifact."""
    from evertune.settings import TuneSettings
    from evertune.task import LabelledWindow
    from tune import search
    from tune.events import Event, TrialFinished

    def see(event: Event) -> None:
        if isinstance(event, TrialFinished):
            report(event.record.score, False)

    with tempfile.TemporaryDirectory() as folder:
        search(
            f"{Path(__file__).with_name('task.py')}:Clothes",
            project_root=Path(__file__).parents[2],
            window=LabelledWindow(),
            folder=Path(folder) / "study",
            settings=TuneSettings(max_trials=_MOST_TRIALS, max_epochs=EPOCHS, workers=2, seed=seed, backend=backend),
            limits=LIMITS,
            export=EXPORT,
            progress=see,
        )
