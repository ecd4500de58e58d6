"""Bounds and tests for losses between 0 and 1: coverage over all samples, or by simulation."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from evertune.statistics import paired_noninferiority, upper_bound


def test_upper_bound_covers_every_distribution_on_three_points() -> None:
    n, points = 6, np.array([0.0, 0.4, 1.0])
    samples = np.array(list(itertools.product(range(3), repeat=n)))
    counts = np.stack([(samples == value).sum(axis=1) for value in range(3)], axis=1)
    bounds = np.array([upper_bound(points[sample], 0.8) for sample in samples])
    for share in itertools.product(np.linspace(0, 1, 11), repeat=2):
        if (rest := 1 - sum(share)) < 0:
            continue
        law = np.array([*share, max(rest, 0.0)])
        probability = np.prod(law**counts, axis=1)
        assert probability[bounds >= points @ law - 1e-9].sum() >= 0.8 - 1e-9


@pytest.mark.parametrize(("a", "b"), [(0.3, 2.0), (2.0, 8.0), (0.5, 0.5), (8.0, 1.0)])
def test_upper_bound_of_smooth_losses_covers_and_adapts(a: float, b: float) -> None:
    rng, mean = np.random.default_rng(7), a / (a + b)
    bounds = np.array([upper_bound(rng.beta(a, b, 300), 0.95) for _ in range(300)])
    assert (bounds >= mean).mean() >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300)
    hoeffding = np.sqrt(np.log(20) / 600)
    assert np.median(bounds) - mean < 1.1 * hoeffding


def test_upper_bound_uses_the_variance() -> None:
    losses = np.random.default_rng(0).uniform(0.08, 0.12, 500)
    assert upper_bound(losses, 0.95) < losses.mean() + 0.3 * np.sqrt(np.log(20) / 1000)


def test_upper_bound_refuses_what_is_not_a_loss() -> None:
    for losses in ([0.5, 1.5], [float("nan")], [-0.1]):
        with pytest.raises(ValueError, match="losses"):
            upper_bound(losses)


def _pairs(rng: np.random.Generator, rows: int, shift: float) -> tuple[npt.NDArray[np.float64], ...]:
    """Losses that share the difficulty of the row; the challenger's mean is lower by `shift`."""
    difficulty = rng.beta(1, 4, rows)
    champion = np.clip(difficulty + rng.normal(0, 0.03, rows), 0, 1)
    return champion, champion + (rng.beta(2, 2, rows) - 0.5) * 0.2 * np.minimum(
        champion, 1 - champion
    ) - shift * champion


def test_betting_test_keeps_its_size_and_has_power() -> None:
    rng = np.random.default_rng(3)
    false = sum(
        paired_noninferiority(*_pairs(rng, 300, 0.0), margin=0.0, error_rate=0.05, min_rows=1).outcome == "better"
        for _ in range(200)
    )
    true = sum(
        paired_noninferiority(*_pairs(rng, 400, 0.1), margin=0.0, error_rate=0.05, min_rows=1).outcome == "better"
        for _ in range(50)
    )
    assert false <= 0.05 * 200
    assert true >= 45


def test_betting_interval_covers_and_agrees_with_the_outcome() -> None:
    rng, covered = np.random.default_rng(5), 0
    for _ in range(150):
        champion, challenger = _pairs(rng, 300, 0.05)
        test = paired_noninferiority(champion, challenger, margin=0.0, error_rate=0.05, min_rows=1)
        covered += -0.05 * 0.2 in test.interval  # the mean of the champion's loss is 0.2
        assert (test.outcome == "better") == (test.interval.upper < 0 or test.p_value <= 0.05)
    assert covered >= 0.9 * 150 - 3 * np.sqrt(0.09 * 150)
