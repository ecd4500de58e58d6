import numpy as np
import pytest
from scipy.optimize import check_grad

from tune.gaussian_process import GaussianProcess

RNG = np.random.default_rng(0)
CATEGORICAL = np.array([False, True, False])
POINTS = np.column_stack([RNG.random(25), RNG.integers(0, 3, 25), RNG.random(25)])


def truth(points: np.ndarray) -> np.ndarray:
    values = np.sin(4 * points[:, 0]) + np.array([0.0, 1.0, -1.0])[points[:, 1].astype(int)]
    return np.asarray(values / 1.1)


@pytest.fixture(scope="module")
def model() -> GaussianProcess:
    return GaussianProcess(POINTS, truth(POINTS), CATEGORICAL)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_the_loss(model: GaussianProcess, seed: int) -> None:
    at = np.random.default_rng(seed).normal(-1, 0.7, len(model._mean))
    off = check_grad(lambda x: model._loss(x)[0], lambda x: model._loss(x)[1], at)
    assert off < 1e-4 * np.linalg.norm(model._loss(at)[1])


def test_it_predicts_points_that_it_has_not_seen_and_knows_where_it_does_not(model: GaussianProcess) -> None:
    others = np.column_stack([RNG.random(50), RNG.integers(0, 3, 50), RNG.random(50)])
    mean, deviation = model.predict(others)
    assert np.sqrt(np.mean((mean - truth(others)) ** 2)) < 0.2
    _, unseen = model.predict(np.array([[0.5, 7.0, 0.5]]))  # a category without a trial
    assert unseen[0] > 3 * np.median(deviation)


def test_what_is_believed_lowers_the_deviation_there_and_leaves_the_mean() -> None:
    model = GaussianProcess(POINTS[:8], truth(POINTS[:8]), CATEGORICAL)
    running = np.array([[0.9, 2.0, 0.1]])
    mean, deviation = model.predict(running)
    model.believe(running)
    after, sure = model.predict(running)
    assert after == pytest.approx(mean, abs=1e-6)
    assert sure < deviation


def test_a_value_seen_twice_or_targets_that_are_all_alike_are_no_error() -> None:
    twice = GaussianProcess(POINTS[[0, 0, 1]], np.array([-1.0, 1.0, 0.0]), CATEGORICAL)
    flat = GaussianProcess(POINTS[:3], np.zeros(3), CATEGORICAL)
    for model in (twice, flat):
        assert np.isfinite(model.predict(POINTS)).all()
