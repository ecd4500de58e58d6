from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evertune.errors import SearchError
from tune import Study, TrialRecord, load_study, pareto_picture
from tune.journal import Journal
from tune.plan import Plan
from tune.study import no_winner

MakeStudy = Callable[..., Study]


def completed(trial_id: str, score: float, latency: float = 1e-5, size: int = 1000) -> TrialRecord:
    return TrialRecord(
        trial_id, {}, "completed", score=score, latency_seconds=latency, size_bytes=size, recipe="fp32", epochs=1
    )


@pytest.fixture
def make_study(tmp_path: Path, make_plan: Callable[..., Plan]) -> MakeStudy:
    def make(*records: TrialRecord) -> Study:
        return Study(tmp_path, records, make_plan(), {})

    return make


def test_the_best_is_the_most_accurate_and_of_equals_the_fastest(make_study: MakeStudy) -> None:
    study = make_study(completed("0", 0.8, 3e-5), completed("1", 0.9, 2e-5), completed("2", 0.9, 1e-5))
    assert study.best().trial.trial_id == "2"


def test_trials_without_a_score_are_never_the_best(make_study: MakeStudy) -> None:
    study = make_study(TrialRecord("0", {}, "pruned", rung_metric=0.99), completed("1", 0.1))
    assert study.best().trial.trial_id == "1"
    assert [record.trial_id for record in study.pareto] == ["1"]


def test_the_front_weighs_accuracy_latency_and_size(make_study: MakeStudy) -> None:
    study = make_study(
        completed("slow", 0.9, 3e-5, 3000),
        completed("fast", 0.8, 1e-5, 3000),
        completed("small", 0.7, 3e-5, 1000),
        completed("beaten", 0.7, 3e-5, 2000),
    )
    assert [record.trial_id for record in study.pareto] == ["slow", "fast", "small"]


def test_a_search_without_a_winner_says_how_its_trials_ended(make_study: MakeStudy) -> None:
    failed = TrialRecord("0", {}, "failed", error="Traceback ...\nValueError: no")
    rejected = TrialRecord("1", {}, "rejected", error="not trained: too large")
    with pytest.raises(SearchError, match=r"no trial finished \(1 failed, 1 rejected\); the first: ValueError: no"):
        print(make_study(failed, rejected).best())
    assert "Correct the task" in str(no_winner([failed, rejected]))
    assert "Raise [limits]" in str(no_winner([rejected]))
    assert "no trial was started" in str(no_winner([]))


def test_a_study_is_read_from_its_journal_though_the_last_line_is_torn(
    tmp_path: Path, make_plan: Callable[..., Plan]
) -> None:
    def write(event: str, **content: Any) -> None:
        journal.append(event, **content)

    journal = Journal(tmp_path / "journal.jsonl")
    write("study", format_version=1, plan=make_plan().to_json(), fingerprint={"task": "tiny"})
    write("ended", record=completed("0", 0.5).to_json())
    journal.close()
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"event":"ended","record":{"tri')
    study = load_study(tmp_path)
    assert study.trials == (completed("0", 0.5),)
    assert study.fingerprint == {"task": "tiny"}
    assert study.plan.folder == tmp_path


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b'{"event":"study"}\nrubbish\n{"event":"ended"}\n')
    with pytest.raises(SearchError, match="line 2 of"):
        load_study(tmp_path)


def test_the_picture_is_drawn_without_a_screen(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study(completed("0", 0.9), completed("1", 0.8, 1e-6, 10), TrialRecord("2", {}, "failed"))
    path = pareto_picture(study, tmp_path / "runs" / "front.png")
    assert path.read_bytes().startswith(b"\x89PNG")
