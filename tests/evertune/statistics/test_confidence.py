"""Calibrated confidence and the accuracy estimated from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from evertune.statistics import calibrate, estimated_accuracy


@settings(deadline=None)  # a loaded machine is no failure
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=80))
def test_calibration_is_isotonic_regression(rows: list[tuple[int, bool]]) -> None:
    confidence, correct = np.array([x / 20 for x, _ in rows]), np.array([y for _, y in rows])
    knots_x, knots_y = calibrate(confidence, correct)
    mapped = np.interp(confidence, knots_x, knots_y)
    assert list(knots_x) == sorted(set(knots_x))
    assert list(knots_y) == sorted(knots_y)
    assert mapped.mean() == pytest.approx(correct.mean())
    assert mapped == pytest.approx(IsotonicRegression().fit_transform(confidence, correct.astype(float)))


def test_calibration_mends_an_overconfident_model() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(4_000)
    raw = truth**0.5
    fitted = calibrate(raw, rng.random(4_000) < truth)
    fresh = rng.random(4_000)
    assert abs(np.interp(fresh**0.5, *fitted) - fresh).mean() < 0.05 < abs(fresh**0.5 - fresh).mean()


def test_estimate_covers_the_accuracy_of_the_rows_where_the_map_still_holds() -> None:
    rng, covered, runs = np.random.default_rng(1), 0, 200
    for _ in range(runs):
        past = rng.beta(4, 1, 400)
        knots = calibrate(past**0.7, rng.random(400) < past)
        live = rng.beta(4, 1, 300)
        confidence = np.interp(live**0.7, *knots)
        accuracy = (rng.random(300) < live).mean()
        _, interval = estimated_accuracy(
            float(confidence.sum()), float((confidence * (1 - confidence)).sum()), 300, calibration_rows=400
        )
        covered += accuracy in interval
    assert covered / runs >= 0.92


def test_estimate_is_never_certain() -> None:
    value, interval = estimated_accuracy(500.0, 0.0, 500, calibration_rows=100)
    assert value == 1.0
    assert 0.02 < interval.width < 0.1
    assert estimated_accuracy(0.0, 0.0, 0, calibration_rows=100)[1].width == 1.0
    assert estimated_accuracy(5.0, 1.0, 10, calibration_rows=0)[1].width == 1.0


@settings(deadline=None)  # a loaded machine is no failure
@given(st.integers(1, 500), st.floats(0, 1), st.floats(0, 1), st.integers(1, 10_000))
def test_estimate_lies_in_its_interval(rows: int, mean: float, part: float, calibration_rows: int) -> None:
    variance = part * mean * (1 - mean)
    value, interval = estimated_accuracy(mean * rows, variance * rows, rows, calibration_rows=calibration_rows)
    assert value in interval


def test_rows_and_sums_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="sums"):
        estimated_accuracy(11.0, 1.0, 10, calibration_rows=5)
    with pytest.raises(ValueError, match="equally many"):
        calibrate(np.array([0.5]), np.array([True, False]))
    with pytest.raises(ValueError, match="confidence"):
        calibrate(np.array([1.5]), np.array([True]))
