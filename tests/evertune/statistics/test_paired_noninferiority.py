"""What the gate says, and that its interval agrees with it."""

import json
from math import comb

import numpy as np
import numpy.typing as npt
import pytest

from evertune.statistics import PairedTest, paired_noninferiority


def _losses(worse: int, better: int, rows: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    champion, challenger = np.zeros(rows), np.zeros(rows)
    challenger[:worse] = 1.0
    champion[worse : worse + better] = 1.0
    return champion, challenger


@pytest.mark.parametrize(
    ("worse", "better", "margin", "outcome"),
    [
        (5, 25, 0.0, "better"),
        (15, 15, 0.0, "not_better"),
        (25, 5, 0.0, "not_better"),
        (6, 6, 0.08, "better"),
        (30, 6, 0.05, "not_better"),
    ],
)
def test_outcome_and_interval_agree(worse: int, better: int, margin: float, outcome: str) -> None:
    test = paired_noninferiority(*_losses(worse, better, 150), margin=margin, error_rate=0.05, min_rows=100)
    assert test.outcome == outcome
    assert (test.p_value <= 0.05) == (outcome == "better") == (test.interval.upper <= margin)
    assert test.difference == pytest.approx((worse - better) / 150)
    assert test.difference in test.interval


def test_interval_covers_the_difference_over_all_tables() -> None:
    rows = 10
    tables = [(a, b) for a in range(rows + 1) for b in range(rows + 1 - a)]
    found = [
        paired_noninferiority(*_losses(a, b, rows), margin=0.0, error_rate=0.1, min_rows=1).interval for a, b in tables
    ]
    choose = np.array([_multinomial(rows, a, b) for a, b in tables])
    for worse in np.linspace(0, 1, 11):
        for better in np.linspace(0, 1 - worse, 6):
            rest = max(0.0, 1 - worse - better)
            law = choose * np.array([worse**a * better**b * rest ** (rows - a - b) for a, b in tables])
            covered = np.array([worse - better in interval for interval in found])
            assert law[covered].sum() >= 0.8 - 1e-9


def _multinomial(rows: int, a: int, b: int) -> float:
    return float(comb(rows, a) * comb(rows - a, b))


def test_too_few_rows_say_nothing_whatever_they_say() -> None:
    for rows in (0, 99):
        test = paired_noninferiority(np.ones(rows), np.zeros(rows), margin=0.0, error_rate=0.05, min_rows=100)
        assert (test.outcome, test.p_value, test.rows) == ("insufficient", 1.0, rows)
        assert (test.interval.lower, test.interval.upper) == (-1.0, 1.0)


def test_a_twin_of_the_champion_is_not_better_but_not_inferior_either() -> None:
    losses = (np.arange(400) % 10 == 0).astype(float)
    assert paired_noninferiority(losses, losses, margin=0.0, error_rate=0.05, min_rows=1).outcome == "not_better"
    assert paired_noninferiority(losses, losses, margin=0.03, error_rate=0.05, min_rows=1).outcome == "better"


def test_the_finding_survives_json_exactly() -> None:
    test = paired_noninferiority(*_losses(3, 12, 60), margin=0.01, error_rate=0.025, min_rows=10)
    assert PairedTest.from_json(json.loads(json.dumps(test.to_json()))) == test


@pytest.mark.parametrize(("margin", "error_rate"), [(-0.1, 0.05), (1.0, 0.05), (0.0, 0.0), (0.0, 0.5)])
def test_a_margin_or_error_rate_that_makes_no_sense_is_refused(margin: float, error_rate: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        paired_noninferiority([0.0], [0.0], margin=margin, error_rate=error_rate, min_rows=1)


def test_losses_of_different_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="same rows"):
        paired_noninferiority([0.0, 1.0], [0.0], margin=0.0, error_rate=0.05, min_rows=1)
