"""A search as people and programs follow it: live, line by line, from another process."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.search_view import SearchView
from evertune.settings import Project
from tune.events import Notice, SearchStarted, TrialEpoch, TrialFailed, TrialFinished, TrialStarted, WorkerLost
from tune.folder_lock import locked
from tune.journal import Journal
from tune.record import TrialRecord

Run = Callable[..., Any]
_HOLD = """
import sys
from pathlib import Path
from tune.folder_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


class Played:
    """Journals what a search would, then tells a view."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.journal = Journal(folder / "journal.jsonl", clock=lambda: self.now)
        self.journal.append("study", plan={"max_epochs": 3}, fingerprint={"task": "t"})
        self.journal.append("session", max_trials=5, workers=2)

    def clock(self) -> float:
        return self.now

    def start(self, trial_id: str) -> TrialStarted:
        values = {"family": "cnn", "rate": 0.001}
        self.journal.append("started", trial_id=trial_id, hyperparameters=values, origin="sampler")
        return TrialStarted(self.now, trial_id, values, "sampler", 1)

    def epoch(self, trial_id: str, epoch: int, accuracy: float, seconds: float = 20.0) -> TrialEpoch:
        self.now += seconds
        self.journal.append("epoch", trial_id=trial_id, epoch=epoch, metric=accuracy)
        return TrialEpoch(self.now, trial_id, epoch, accuracy)

    def end(self, trial_id: str, **content: Any) -> TrialFinished | TrialFailed:
        state = "failed" if "error" in content else "completed"
        figures = {"latency_seconds": 2e-5, "size_bytes": 4000, "recipe": "int8", "epochs": 3, "seconds": 60.0}
        record = TrialRecord(trial_id, {}, state, **{**figures, **content})  # type: ignore[arg-type]
        self.journal.append("ended", record=record.to_json())
        return (TrialFailed if "error" in content else TrialFinished)(self.now, trial_id, record)

    def completed(self, trial_id: str, score: float) -> None:
        self.start(trial_id)
        for epoch in (1, 2, 3):
            self.epoch(trial_id, epoch, score)
        self.end(trial_id, score=score)


@pytest.fixture
def played(project: Project) -> Played:
    return Played(project.studies / "main")


def test_the_live_table_has_progress_time_left_curves_and_the_best(project: Project, played: Played) -> None:
    played.completed("0", 0.71)  # before it was interrupted: the view knows it from the journal
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None)
    with SearchView(console, project.studies / "main", clock=played.clock) as view:
        view(SearchStarted(played.now, 5, 3, 2, 1))
        assert "known after 3 trials" in drawn(view, console)
        for trial_id, score in (("1", 0.82), ("2", 0.93)):
            played.completed(trial_id, score)
        view(played.start("3"))
        view(played.epoch("3", 1, 0.4))
        view(played.epoch("3", 2, 0.8))
        view(Notice(played.now, "MLflow is away"))
        text = drawn(view, console)
    for told in (
        "3 of 5 trials",
        "about 40 s left",
        "3 completed",
        "2/3",
        "0.8000",
        "▁█",
        "40 s",
        "family=cnn",
        "0.9300",
    ):
        assert told in text, text
    assert text.index("0.9300") < text.index("0.8200") < text.index("0.7100")
    assert all(len(each) <= 80 for each in text.splitlines())
    assert "MLflow is away" in out.getvalue()


def drawn(view: SearchView, console: Console) -> str:
    with console.capture() as capture:
        console.print(view._draw())
    return capture.get()


def test_without_a_terminal_each_happening_is_a_line(project: Project, played: Played) -> None:
    out = io.StringIO()
    with SearchView(Console(file=out, width=80), project.studies / "main", clock=played.clock) as view:
        view(SearchStarted(played.now, 5, 3, 2, 0))
        view(played.start("0"))
        view(played.epoch("0", 1, 0.5))
        view(played.epoch("0", 2, 0.6, seconds=1.0))  # too soon for a line of its own
        view(WorkerLost(played.now, "0", -9))
        view(played.end("0", score=0.75))
        view(played.start("1"))
        view(played.end("1", error="Traceback\n  [boom]\nValueError: [bold]no", epochs=0, seconds=2.0))
    assert out.getvalue().splitlines() == [
        "search: 5 trials; 2 workers, 3 epochs a trial",
        "trial 0 starts (sampler): family=cnn rate=0.001",
        "trial 0 epoch 1/3: accuracy 0.5000",
        "a worker is lost with trial 0, which another takes",
        "trial 0 completed after 3 epochs in 1 min 0 s: artifact 0.7500, 0.020 ms, 4 kB, int8; "
        "time left: known after 3 trials",
        "trial 1 starts (sampler): family=cnn rate=0.001",
        "trial 1 failed after 0 epochs in 2 s: ValueError: [bold]no; time left: known after 3 trials",
    ]


def test_programs_get_an_object_a_line_even_on_a_terminal(project: Project, played: Played) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=20)
    with SearchView(console, project.studies / "main", as_json=True, clock=played.clock) as view:
        view(played.start("0"))
        view(played.epoch("0", 1, 0.5))
        view(played.end("0", score=0.75))
    started, epoch, ended = map(json.loads, out.getvalue().splitlines())
    assert (started["event"], started["hyperparameters"]["family"]) == ("TrialStarted", "cnn")
    assert (epoch["event"], epoch["accuracy"], epoch["seconds_left"]) == ("TrialEpoch", 0.5, None)
    assert (ended["event"], ended["record"]["score"], ended["at_seconds"]) == ("TrialFinished", 0.75, played.now)


def test_status_shows_a_search_of_another_process_while_it_runs(run: Run, project: Project, played: Played) -> None:
    played.completed("0", 0.71)
    played.start("1")
    played.epoch("1", 1, 0.4)
    folder = project.studies / "main"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        found = run("status", "--json").json()
        text = run("status").out
    finally:
        holder.communicate("")
    assert found["studies"] == ["main"]
    (search,) = found["searches"]
    assert (search["study"], search["running"], search["finished"], search["max_trials"]) == ("main", True, False, 5)
    assert search["best"][0]["score"] == 0.71
    assert [(each["trial_id"], each["state"], each["epoch"]) for each in search["in_work"]] == [("1", "training", 1)]
    for told in ("search main runs", "1 of 5 trials", "known after 3 trials", "0.7100", "training"):
        assert told in text, text
    interrupted = run("status")
    assert "search main was interrupted: 1 of 5 trials ended (1 completed); evertune tune goes on" in " ".join(
        interrupted.out.split()
    )
    shutil.copytree(folder, project.studies / "retune-7-1795000000000")
    assert "search retune-7-1795000000000 was interrupted" in (text := " ".join(run("status").out.split()))
    assert "; evertune retune goes on" in text
    shutil.rmtree(project.studies / "retune-7-1795000000000")
    played.journal.append("finished", max_trials=5)
    assert "interrupted" not in run("status").out


def test_looking_does_not_keep_a_search_from_starting(project: Project, played: Played) -> None:
    from tune.folder_lock import is_locked

    folder = project.studies / "main"
    assert not is_locked(folder)
    with locked(folder):
        assert is_locked(folder)
    assert not is_locked(folder)
    assert not is_locked(project.studies / "missing")
