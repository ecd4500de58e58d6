from __future__ import annotations

import math

import pytest

from tune.rungs import Rungs


def answers(rungs: Rungs, metrics: list[float], epoch: int = 1) -> list[bool]:
    return [rungs.go_on(str(trial), epoch=epoch, metric=metric) for trial, metric in enumerate(metrics)]


def test_the_best_quarter_of_those_so_far_goes_on() -> None:
    assert answers(Rungs(10), [0.1, 0.2, 0.15, 0.3, 0.25, 0.27, 0.1, 0.28]) == [False] * 3 + [True] + [False] * 3 + [
        True
    ]


def test_who_waits_is_taken_up_when_enough_have_come_and_only_once() -> None:
    rungs = Rungs(10)
    waiting = {str(trial) for trial in range(8)}
    answers(rungs, [0.9, 0.8, 0.1])
    assert rungs.next_up(waiting) is None
    answers(rungs, [0.9, 0.8, 0.1, 0.2])
    assert rungs.next_up(waiting) == "0"
    rungs.promote("0")
    assert rungs.next_up(waiting - {"0"}) is None
    answers(rungs, [0.9, 0.8, 0.1, 0.2, 0.3, 0.3, 0.3, 0.3])
    assert rungs.next_up(waiting - {"0"}) == "1"


def test_of_two_that_have_earned_it_the_one_of_the_higher_rung_goes_first() -> None:
    rungs = Rungs(30)
    answers(rungs, [0.5] * 8)
    for trial in "0123":
        rungs.promote(trial)
        rungs.go_on(trial, epoch=3, metric=0.6)
    answers(rungs, [0.5] * 20)
    assert rungs.next_up({str(trial) for trial in range(20)}) == "0"
    rungs.promote("0")
    assert rungs.next_up({str(trial) for trial in range(1, 20)}) == "4"


def test_a_trial_that_was_taken_up_passes_where_it_waited() -> None:
    rungs = Rungs(10)
    assert answers(rungs, [0.9, 0.8, 0.1, 0.2]) == [False] * 4
    rungs.promote("0")
    assert rungs.go_on("0", epoch=1, metric=0.9)  # trained again: its checkpoint was not kept
    assert rungs.go_on("0", epoch=2, metric=0.1)
    assert not rungs.go_on("0", epoch=3, metric=0.1)


def test_at_the_end_as_many_go_on_as_shall_complete() -> None:
    rungs = Rungs(10, finalists=2)
    answers(rungs, [0.1, 0.3, 0.2])
    waiting = {"0", "1", "2"}
    found = []
    while (trial := rungs.next_up(waiting, finishing=True)) is not None:
        rungs.promote(trial)
        waiting.remove(trial)
        found.append(trial)
    assert found == ["1", "2"]


def test_rungs_lie_at_powers_of_three_up_to_two_thirds_of_the_epochs() -> None:
    for most, expected in ((27, [1, 3, 9]), (41, [1, 3, 9, 27]), (5, [1, 3]), (4, [1])):
        assert [epoch for epoch in range(1, most + 1) if Rungs(most).is_rung(epoch)] == expected
    assert all(answers(Rungs(max_epochs=1), [0.9, 0.8, 0.1, 0.0]))


def test_the_best_epoch_so_far_counts() -> None:
    rungs = Rungs(10)
    for epoch, metric in ((1, 0.5), (2, 0.9), (3, 0.4)):
        rungs.promote("a") if epoch == 2 else None
        rungs.go_on("a", epoch=epoch, metric=metric)
    for trial in "bcd":
        rungs.go_on(trial, epoch=1, metric=0.6)
        rungs.promote(trial)
        rungs.go_on(trial, epoch=3, metric=0.8)
    assert rungs.order()[0] == "a"


def test_asking_again_gives_no_second_entry() -> None:
    rungs = Rungs(5)
    assert not any(rungs.go_on("0", epoch=1, metric=0.5) for _ in range(5))


def test_smaller_may_be_better() -> None:
    assert answers(Rungs(5, maximize=False), [3.0, 2.0, 2.5, 1.0]) == [False, False, False, True]


def test_survivors_stay_above_those_that_waited_whatever_they_do() -> None:
    rungs = Rungs(30)
    answers(rungs, [0.5, 0.6, 0.4, 0.7, 0.3])
    assert rungs.order() == ["3", "1", "0", "2", "4"]
    for trial, metric in (("3", 0.72), ("1", 0.8)):
        rungs.promote(trial)
        rungs.go_on(trial, epoch=3, metric=metric)
    assert rungs.order() == ["1", "3", "0", "2", "4"]


def test_several_objectives_are_compared_by_fronts() -> None:
    rungs = Rungs(10)
    costs = {"exact": (0.9, 9.0), "small": (0.5, 1.0), "worse": (0.5, 9.5), "worst": (0.4, 9.9)}
    for trial, (metric, size) in costs.items():
        rungs.go_on(trial, epoch=1, metric=metric, costs=[size])
    assert rungs.order() == ["exact", "small", "worse", "worst"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("maximize", [True, False])
def test_a_metric_that_is_no_number_ends_its_trial_and_harms_no_other(bad: float, maximize: bool) -> None:
    rungs = Rungs(10, maximize=maximize)
    assert not rungs.go_on("0", epoch=1, metric=bad)
    assert not rungs.go_on("0", epoch=2, metric=bad)  # between rungs, too
    assert not rungs.knows("0")
    answers(rungs, [0.5] * 4)
    rungs.go_on("0", epoch=2, metric=bad)
    assert rungs.next_up({"0"}, finishing=True) is None
