import numpy as np

from tune.warp import warped

LOSSES = np.exp(np.random.default_rng(0).normal(0, 4, 30))  # over orders of magnitude, as losses of trainings


def test_order_is_kept_and_scale_and_origin_make_no_difference() -> None:
    bent = warped(LOSSES)
    assert (np.argsort(bent) == np.argsort(LOSSES)).all()
    np.testing.assert_allclose(warped(1000 * LOSSES + 5), bent, atol=1e-6)
    np.testing.assert_allclose([bent.mean(), bent.std()], [0, 1], atol=1e-9)


def test_one_loss_that_exploded_does_not_hide_the_others() -> None:
    bent = warped(np.array([0.1, 0.2, 0.3, 0.4, 1e9]))
    assert bent[3] - bent[0] > 0.5  # of a standard deviation; 1e-9 without


def test_what_is_even_is_bent_little() -> None:
    bent = warped(np.linspace(0.8, 0.9, 21))
    assert np.diff(bent).max() < 2 * np.diff(bent).min()


def test_costs_that_are_all_alike_become_zeros() -> None:
    assert warped(np.full(4, 0.5)).tolist() == [0.0] * 4
