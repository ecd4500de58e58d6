import numpy as np
import pytest

from benchmarks.tuning_pareto import area
from tune.acquisition import log_expected_hypervolume_improvement, log_expected_improvement


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (2.0, 0.5), (-1.0, 0.1)])
def test_expected_improvement_is_that_of_samples(mean: float, deviation: float) -> None:
    samples = mean + deviation * np.random.default_rng(0).standard_normal(1_000_000)
    found = log_expected_improvement(np.array([mean]), np.array([deviation]), 0.3)[0]
    assert np.exp(found) == pytest.approx(np.maximum(0, 0.3 - samples).mean(), rel=0.03)


def test_far_from_the_best_there_is_still_a_slope() -> None:
    found = log_expected_improvement(np.linspace(1, 1000, 2000), np.full(2000, 1.0), 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) < 0).all()


@pytest.mark.parametrize("mean", [(0.3, 0.3), (0.7, 0.1)])
def test_expected_hypervolume_improvement_is_that_of_samples(mean: tuple[float, float]) -> None:
    front, reference = np.array([[0.1, 0.8], [0.4, 0.4], [0.9, 0.2]]), np.array([1.0, 1.2])
    deviation = np.array([0.2, 0.3])
    samples = mean + deviation * np.random.default_rng(0).standard_normal((10_000, 2))
    gains = [area(np.vstack([front, sample]), reference) for sample in samples]
    found = log_expected_hypervolume_improvement(np.array([mean]), deviation[None], front, reference)
    assert np.exp(found[0]) == pytest.approx(np.mean(gains) - area(front, reference), rel=0.1, abs=1e-6)
