"""The demo's verdict must be able to fail."""

from __future__ import annotations

import pytest

from cli.demo.recovery import problems_of, split_recovery
from cli.demo.traffic import Answer
from retune.recovery import Accuracy, Recovery


def answer(index: int, digest: str, *, correct: bool) -> Answer:
    return Answer(index, f"id{index}", digest, correct, float(index), 0.001)


def test_split_counts_rows_after_the_last_learned_one_only() -> None:
    answers = [answer(i, "old", correct=True) for i in range(10)]
    answers += [answer(i, "old", correct=False) for i in range(10, 20)]
    answers += [answer(i, "new", correct=True) for i in range(20, 30)]
    recovery = split_recovery(answers, onset_index=10, challenger_digest="new", learned_ids={"id12", "id22"})
    assert (recovery.before, recovery.during, recovery.after) == (Accuracy(10, 10), Accuracy(0, 10), Accuracy(7, 7))
    assert recovery.ratio == pytest.approx(1.0)


def test_without_a_promotion_nothing_is_recovered() -> None:
    answers = [answer(i, "old", correct=i < 10) for i in range(20)]
    recovery = split_recovery(answers, onset_index=10, challenger_digest=None, learned_ids=set())
    assert recovery.after.rows == 0
    assert recovery.ratio is None
    assert any("after" in problem for problem in problems_of(recovery))


@pytest.mark.parametrize(
    ("before", "during", "after", "problems"),
    [
        (Accuracy(900, 1000), Accuracy(100, 1000), Accuracy(800, 1000), 0),
        (Accuracy(900, 1000), Accuracy(100, 1000), Accuracy(700, 1000), 1),
        (Accuracy(899, 999), Accuracy(100, 1000), Accuracy(800, 1000), 1),
        (Accuracy(500, 1000), Accuracy(500, 1000), Accuracy(500, 1000), 1),
    ],
    ids=["good", "too little", "too few rows", "nothing lost"],
)
def test_problems(before: Accuracy, during: Accuracy, after: Accuracy, problems: int) -> None:
    assert len(problems_of(Recovery(before, during, after))) == problems
