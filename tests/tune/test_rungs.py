from __future__ import annotations

import math

import pytest

from tune.rungs import Rungs


def answers(rungs: Rungs, metrics: list[float], epoch: int = 1) -> list[bool]:
    return [rungs.go_on(str(trial), epoch=epoch, metric=metric) for trial, metric in enumerate(metrics)]


def test_the_first_two_go_on_then_the_best_third() -> None:
    assert answers(Rungs(10), [0.1, 0.2, 0.15, 0.3, 0.25, 0.27]) == [True, True, False, True, False, True]


def test_rungs_lie_at_powers_of_three_below_the_last_epoch() -> None:
    rungs = Rungs(max_epochs=27)
    for trial in ("a", "b"):
        for epoch in range(1, 28):
            assert rungs.go_on(trial, epoch=epoch, metric=1.0)
    stops = [epoch for epoch in range(1, 28) if not rungs.go_on("c", epoch=epoch, metric=0.0)]
    assert stops == [1, 3, 9]


def test_with_one_epoch_nobody_is_stopped() -> None:
    assert all(answers(Rungs(max_epochs=1), [0.9, 0.8, 0.1, 0.0]))


def test_equals_go_on_together() -> None:
    assert answers(Rungs(5), [0.5, 0.5, 0.5, 0.5]) == [True] * 4


def test_asking_again_gives_no_second_entry() -> None:
    rungs = Rungs(5)
    assert all(rungs.go_on("0", epoch=1, metric=0.5) for _ in range(5))
    assert rungs.go_on("1", epoch=1, metric=0.4)  # the second trial, not the sixth


def test_smaller_may_be_better() -> None:
    assert answers(Rungs(5, maximize=False), [3.0, 2.0, 2.5, 1.0]) == [True, True, False, True]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("maximize", [True, False])
def test_a_metric_that_is_no_number_stops_its_trial_and_harms_no_other(bad: float, maximize: bool) -> None:
    rungs = Rungs(10, maximize=maximize)
    assert not rungs.go_on("0", epoch=1, metric=bad)
    assert not rungs.go_on("0", epoch=2, metric=bad)  # between rungs, too
    assert rungs.go_on("1", epoch=1, metric=0.5)
    assert rungs.go_on("2", epoch=1, metric=0.5)
