from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tune.plan import Plan
from tune.record import TrialRecord
from tune.retention import tidy


def record(number: int, score: float | None, latency: float = 1.0, size: int = 100) -> TrialRecord:
    state = "failed" if score is None else "completed"
    return TrialRecord(str(number), {}, state, score=score, latency_seconds=latency, size_bytes=size)  # type: ignore[arg-type]


def leave_files(plan: Plan, records: list[TrialRecord]) -> None:
    for each in records:
        folder = plan.trial_folder(each.trial_id)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("weights.npz", "checkpoint.npz", ".checkpoint.npz.x7d2"):  # the last of a worker that was killed
            (folder / name).write_bytes(b"x")


def files(plan: Plan) -> set[str]:
    folder = plan.folder / "trials"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_best_three_and_the_pareto_front_keep_their_weights_and_nothing_else_stays(
    make_plan: Callable[[], Plan],
) -> None:
    plan = make_plan()
    records = [
        *[record(number, 0.9 - number / 100) for number in range(10)],
        record(10, 0.5, latency=0.1),
        record(11, 0.4, size=1),
        record(12, None),
    ]
    leave_files(plan, records)
    tidy(plan, records)
    assert files(plan) == {f"{number}/weights.npz" for number in ("0", "1", "2", "10", "11")}


def test_a_trial_that_has_not_ended_keeps_its_checkpoint(make_plan: Callable[[], Plan]) -> None:
    plan = make_plan()
    ended = [record(number, 0.5) for number in range(2)]
    leave_files(plan, [*ended, record(7, None)])
    tidy(plan, ended)
    assert "7/checkpoint.npz" in files(plan)


def test_a_long_search_never_holds_more_than_the_best_and_the_front(make_plan: Callable[[], Plan]) -> None:
    plan = make_plan()
    records: list[TrialRecord] = []
    for number in range(50):
        records.append(record(number, (number * 37 % 50) / 50, latency=1.0, size=100))
        leave_files(plan, records[-1:])
        tidy(plan, records)
        assert len(files(plan)) <= 3
    assert files(plan) == {
        f"{each.trial_id}/weights.npz" for each in sorted(records, key=lambda r: -(r.score or 0))[:3]
    }


def test_trials_without_files_do_no_harm(make_plan: Callable[[], Plan]) -> None:
    tidy(make_plan(), [record(0, 0.5), record(1, None)])
    assert not Path(make_plan().folder / "trials").exists()
