"""False alarms, delay, onset and replay of the e-detector."""

import json
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evertune.statistics import EDetector

Stream = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]
LOSSES = np.concatenate([np.random.default_rng(0).random(150) < 0.2, np.random.default_rng(1).random(150) < 0.6]) * 1.0


def _independent(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    return (rng.random(length) < 0.2).astype(np.float64)


def _graded(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    return rng.beta(0.5, 2.0, length)


def _dependent(rng: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    """Conditional mean 0.2 always, but after a loss values turn wild, after none they turn tame."""
    losses, wild = np.empty(length), False
    for index in range(length):
        losses[index] = float(rng.random() < 0.2) if wild else rng.choice([0.1, 0.3])
        wild = bool(losses[index] > 0.2) or (wild and rng.random() < 0.9)
    return losses


def _run_length(rng: np.random.Generator, stream: Stream, run_length: float, longest: int) -> float:
    """Labels until the alarm, cut at `longest`, which can only make the average smaller."""
    detector = EDetector(0.18, 0.02, run_length)
    while detector.count < longest and not detector.alarmed:
        detector.update(stream(rng, 100))
    return float(detector.alarm_at or longest)


@pytest.mark.parametrize("stream", [_independent, _graded, _dependent])
def test_average_run_length_at_the_limit_is_at_least_the_promised(stream: Stream) -> None:
    rng = np.random.default_rng(4)
    lengths = [_run_length(rng, stream, 100, 1_500) for _ in range(150)]
    assert np.mean(lengths) >= 100


def test_no_alarm_is_more_likely_than_its_share_of_the_run_length() -> None:
    """E[min(N, t)] >= run_length P(N <= t) for every t, summed exactly over all 2^12 sequences."""
    length, limit, run_length = 12, 0.2, 8.0
    alarmed = kept = 0.0
    for code in range(2**length):
        losses = np.array([code >> bit & 1 for bit in range(length)], dtype=np.float64)
        probability = math.prod(limit if loss else 1 - limit for loss in losses)
        detector = EDetector(limit, 0.0, run_length)
        detector.update(losses)
        alarmed += probability * detector.alarmed
        kept += probability * min(detector.alarm_at or length, length)
    assert 0 < run_length * alarmed <= kept


@pytest.mark.parametrize(("after", "most"), [(0.30, 240), (0.45, 70), (0.90, 15)])
def test_a_rise_is_found_soon_and_dated_about_right(after: float, most: int) -> None:
    rng, delays, errors = np.random.default_rng(6), [], []
    for _ in range(41):
        detector = EDetector(0.18, 0.02, 10_000)
        detector.update((rng.random(1_000) < 0.15) * 1.0)
        assert not detector.alarmed
        detector.update((rng.random(1_500) < after) * 1.0)
        assert detector.alarm_at is not None
        delays.append(detector.alarm_at - 1_000)
        errors.append(abs(detector.onset - 1_000))
    assert np.median(delays) <= most
    assert np.median(errors) <= max(3, most / 3)


def test_a_loss_within_tolerance_raises_no_alarm() -> None:
    detector = EDetector(0.15, 0.05, 10_000)
    detector.update((np.random.default_rng(8).random(20_000) < 0.18) * 1.0)
    assert not detector.alarmed
    assert detector.log10_evidence < detector.log10_threshold == 4.0


def test_the_first_crossing_latches() -> None:
    detector = EDetector(0.1, 0.02, 1_000)
    detector.update(np.ones(50))
    first = (detector.alarm_at, detector.onset)
    assert detector.log10_evidence > detector.log10_threshold
    detector.update(np.zeros(3_000))
    assert detector.alarmed
    assert (detector.alarm_at, detector.onset) == first
    assert detector.log10_evidence < detector.log10_threshold


@settings(deadline=None)  # a loaded machine is no failure
@given(cuts=st.lists(st.integers(0, len(LOSSES)), max_size=6))
def test_any_cutting_and_any_restart_give_the_same_bits(cuts: list[int]) -> None:
    whole, pieces = EDetector(0.25, 0.02, 500), EDetector(0.25, 0.02, 500)
    whole.update(LOSSES)
    for piece in np.split(LOSSES, sorted(cuts)):
        pieces.update(piece)
        pieces = EDetector.from_json(json.loads(json.dumps(pieces.to_json())))
    assert whole.alarmed
    assert pieces.to_json() == whole.to_json()
    assert (pieces.log10_evidence, pieces.onset) == (whole.log10_evidence, whole.onset)


@settings(deadline=None)  # a loaded machine is no failure
@given(st.lists(st.floats(0, 1), max_size=60), st.floats(0.001, 0.99), st.integers(1, 12))
def test_evidence_is_always_a_finite_number(losses: list[float], limit: float, bets: int) -> None:
    detector = EDetector(limit, 0.0, 1e6, bets)
    detector.update(losses)
    assert 0 <= detector.log10_evidence < math.inf
    assert 0 <= detector.onset <= detector.count == len(losses)


def test_endless_losses_do_not_overflow() -> None:
    detector = EDetector(0.001, 0.0, 1e6)
    detector.update(np.ones(5_000))
    assert 1_000 < detector.log10_evidence < math.inf
    json.dumps(detector.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    "arguments",
    [
        (0.0, 0.0, 100.0),
        (0.9, 0.1, 100.0),
        (-0.1, 0.2, 100.0),
        (0.1, -0.05, 100.0),
        (0.1, 0.0, 1.0),
        (0.1, 0.0, math.inf),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        EDetector(*arguments)


def test_a_bad_loss_leaves_the_state_as_it_was() -> None:
    detector = EDetector(0.1, 0.02, 100)
    detector.update([1.0, 0.0])
    before = detector.to_json()
    with pytest.raises(ValueError, match="losses"):
        detector.update([1.0, math.nan])
    assert detector.to_json() == before
