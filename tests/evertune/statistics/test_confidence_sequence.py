"""The confidence sequence holds at all times at once, also when the mean moves."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gamma, gammainc

from evertune.statistics import ConfidenceSequence
from evertune.statistics.confidence_sequence import _log_mixture

VALUES = np.random.default_rng(0).random(200)


@pytest.mark.parametrize(("s", "v", "rho"), [(0.0, 1.0, 3.0), (5.0, 4.0, 3.0), (12.0, 30.0, 2.5), (-3.0, 6.0, 1.0)])
def test_closed_form_is_the_mixture_it_claims_to_be(s: float, v: float, rho: float) -> None:
    def integrand(bet: float) -> float:
        density = rho**rho * (1 - bet) ** (rho - 1) * np.exp(-rho * (1 - bet)) / gamma(rho) / gammainc(rho, rho)
        return float(density * np.exp(bet * s - v * (-np.log1p(-bet) - bet)))

    assert np.exp(_log_mixture(s, v, rho)) == pytest.approx(quad(integrand, 0, 1)[0], rel=1e-7)


@pytest.mark.parametrize("kind", ["constant", "jump", "feedback"])
def test_covers_the_running_mean_of_conditional_means_at_all_times(kind: str) -> None:
    rng, length, paths, level = np.random.default_rng(11), 600, 150, 0.8
    missed, looks = 0, {*range(1, 10), *range(10, 100, 10), *range(100, length + 1, 50)}
    for _ in range(paths):
        sequence, means, last = ConfidenceSequence(level), 0.0, 0.0
        for t in range(1, length + 1):
            mean = {"constant": 0.15, "jump": 0.1 if t < 300 else 0.6, "feedback": 0.2 + 0.5 * last}[kind]
            last = float(rng.random() < mean)
            means += mean
            sequence.update([last])
            if t in looks and means / t not in sequence.interval():
                missed += 1
                break
    assert missed / paths <= (1 - level) + 3 * np.sqrt(level * (1 - level) / paths)


def test_narrows_towards_the_mean() -> None:
    sequence = ConfidenceSequence()
    sequence.update((np.random.default_rng(2).random(2_000) < 0.1).astype(float))
    assert sequence.interval().width < 0.06
    assert 0.1 in sequence.interval()


@settings(deadline=None)  # a loaded machine is no failure
@given(cuts=st.lists(st.integers(0, len(VALUES)), max_size=6))
def test_any_cutting_gives_the_same_bits(cuts: list[int]) -> None:
    whole, pieces = ConfidenceSequence(), ConfidenceSequence()
    whole.update(VALUES)
    for piece in np.split(VALUES, sorted(cuts)):
        pieces.update(piece)
        pieces = ConfidenceSequence.from_json(json.loads(json.dumps(pieces.to_json())))
    assert pieces.to_json() == whole.to_json()
    assert pieces.interval() == whole.interval()


def test_a_bad_value_leaves_the_state_as_it_was() -> None:
    sequence = ConfidenceSequence()
    sequence.update([0.5])
    before = sequence.to_json()
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        sequence.update([0.1, 2.0])
    assert sequence.to_json() == before


def test_knows_nothing_at_first() -> None:
    interval = ConfidenceSequence(0.9).interval()
    assert (interval.lower, interval.upper, interval.confidence_level) == (0.0, 1.0, 0.9)
