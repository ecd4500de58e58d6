"""Interval, bootstrap, spending, and how light the import is."""

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from evertune.statistics import Interval, bootstrap, spend


def test_interval_survives_json_exactly() -> None:
    interval = Interval(0.1 + 0.2, 2 / 3, 0.95)
    assert Interval.from_json(json.loads(json.dumps(interval.to_json()))) == interval


@pytest.mark.parametrize(("lower", "upper", "level"), [(1.0, 0.0, 0.9), (float("nan"), 1.0, 0.9), (0.0, 1.0, 1.0)])
def test_an_interval_that_cannot_be_is_refused(lower: float, upper: float, level: float) -> None:
    with pytest.raises(ValueError, match="must"):
        Interval(lower, upper, level)


def test_bootstrap_covers_a_mean_about_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(150):
        sample = rng.exponential(size=80)
        covered += 1.0 in bootstrap(np.mean, sample, resamples=200, confidence_level=0.9, rng=rng)
    assert 0.8 <= covered / 150 <= 0.97


def test_bootstrap_draws_the_same_rows_from_every_array() -> None:
    x = np.arange(50.0)
    interval = bootstrap(
        lambda a, b: float(np.abs(a - b).max()), x, x, resamples=20, confidence_level=0.9, rng=np.random.default_rng(0)
    )
    assert (interval.lower, interval.upper) == (0.0, 0.0)


def test_bootstrap_refuses_arrays_that_do_not_belong_together() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="same number of rows"):
        bootstrap(np.mean, np.ones(3), np.ones(4), resamples=5, confidence_level=0.9, rng=rng)
    with pytest.raises(ValueError, match="resamples"):
        bootstrap(np.mean, np.ones(3), resamples=0, confidence_level=0.9, rng=rng)


def test_spent_error_sums_to_the_budget_and_never_above() -> None:
    shares = [Fraction(1, k * (k + 1)) for k in range(1, 500)]
    assert [spend(0.05, k) for k in range(1, 500)] == pytest.approx([0.05 * float(share) for share in shares])
    assert sum(shares) == 1 - Fraction(1, 500)


def test_spend_counts_from_one() -> None:
    with pytest.raises(ValueError, match="k must be 1"):
        spend(0.05, 0)


def test_statistics_and_evaluation_import_neither_scikit_learn_nor_a_framework() -> None:
    code = (
        "import sys, evertune.statistics, evertune.evaluation;"
        "print([name for name in ('sklearn', 'scipy.stats', 'torch', 'keras', 'tensorflow', 'onnxruntime')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
