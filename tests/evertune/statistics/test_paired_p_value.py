"""The promotion test is exact: its size is summed over all tables, for many pairs of rates."""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import gammaln, xlogy
from scipy.stats import binom

from evertune.statistics import clopper_pearson, spend
from evertune.statistics.paired_p_value import _statistic, paired_p_value

Array = npt.NDArray[np.float64]


def _tables(rows: int) -> list[tuple[int, int]]:
    """All (worse, better)."""
    return [(worse, total - worse) for total in range(rows + 1) for worse in range(total + 1)]


def _law(rows: int, worse: float, better: float) -> Array:
    """Probabilities of `_tables(rows)`."""
    a, b = np.array(_tables(rows), dtype=np.float64).T
    log_choose = gammaln(rows + 1) - gammaln(a + 1) - gammaln(b + 1) - gammaln(rows - a - b + 1)
    rest = max(0.0, 1 - worse - better)
    law: Array = np.exp(log_choose + xlogy(a, worse) + xlogy(b, better) + xlogy(rows - a - b, rest))
    return law


@cache
def _rejects(rows: int, margin: float, error_rate: float) -> Array:
    decisions = [paired_p_value(*table, rows, margin, error_rate) <= error_rate for table in _tables(rows)]
    return np.array(decisions, dtype=np.float64)


def _hypothesis(margin: float) -> Iterator[tuple[float, float]]:
    """Pairs of rates with worse - better >= margin, on the boundary and inside."""
    for excess in (0.0, 0.003, 0.05, 0.3):
        for better in np.concatenate([np.geomspace(1e-4, 0.5, 60), [0.0]]):
            if better + better + margin + excess <= 1:
                yield better + margin + excess, better


@pytest.mark.parametrize("error_rate", [0.05, 0.01])
@pytest.mark.parametrize("margin", [0.0, 0.02, 0.15])
@pytest.mark.parametrize("rows", [1, 6, 15, 24])
def test_size_is_never_above_the_error_rate(rows: int, margin: float, error_rate: float) -> None:
    rejects = _rejects(rows, margin, error_rate)
    assert max(_law(rows, *rates) @ rejects for rates in _hypothesis(margin)) <= error_rate


def test_size_is_not_wasted() -> None:
    sizes = [_law(24, rate, rate) @ _rejects(24, 0.0, 0.05) for rate in np.linspace(0.05, 0.5, 30)]
    assert max(sizes) >= 0.035


@pytest.mark.parametrize(("worse", "better"), [(0.05, 0.2), (0.1, 0.35), (0.0, 0.15), (0.2, 0.4)])
def test_power_is_at_least_that_of_mcnemars_exact_test(worse: float, better: float) -> None:
    conditional = [binom.sf(b - 1, a + b, 0.5) <= 0.05 for a, b in _tables(24)]
    law = _law(24, worse, better)
    assert law @ _rejects(24, 0.0, 0.05) >= law @ np.array(conditional, dtype=np.float64)


def test_repeated_challengers_share_one_error_budget() -> None:
    """Six gates on fresh rows against challengers that are exactly as good: any promotion is false."""
    for rate in np.linspace(0.01, 0.5, 25):
        law = _law(14, rate, rate)
        sizes = [law @ _rejects(14, 0.0, spend(0.05, k)) for k in range(1, 7)]
        assert 1 - np.prod([1 - size for size in sizes]) <= 0.05


@pytest.mark.parametrize(
    ("worse", "better", "rows", "margin"),
    [
        (5, 15, 60, 0.0),
        (2, 9, 40, 0.0),
        (3, 3, 30, 0.1),
        (0, 0, 30, 0.1),
        (0, 0, 30, 0.0),
        (10, 4, 40, -0.1),
        (1, 12, 40, -0.1),
    ],
)
def test_agrees_with_a_dense_grid_and_is_never_below_it(worse: int, better: int, rows: int, margin: float) -> None:
    rates = clopper_pearson(worse + better, rows, 1 - 0.02 * 0.05)
    tables = np.array(_tables(rows), dtype=np.float64)
    values = _statistic(tables[:, 1], tables.sum(axis=1), rows, margin)
    region = values >= _statistic(np.array([float(better)]), np.array([float(worse + better)]), rows, margin)[0]
    dense = [
        _law(rows, rate - kept, kept)[region].sum()
        for rate in np.linspace(max(rates.lower, margin), rates.upper, 500)
        for kept in [min(rate, max(0.0, (rate - margin) / 2))]
    ]
    found = paired_p_value(worse, better, rows, margin, 0.05) - 0.02 * 0.05
    assert min(max(dense), 0.999) - 1e-9 <= found <= max(dense) * 1.01 + 0.0006


@pytest.mark.parametrize("margin", [0.0, 0.03, -0.2])
def test_more_wins_never_raise_the_p_value_at_the_same_disagreement(margin: float) -> None:
    for total in (1, 7, 24):
        values = [paired_p_value(total - better, better, 24, margin, 0.05) for better in range(total + 1)]
        # The supremum is known to 1%; beyond that the order must hold.
        assert all(later <= earlier * 1.02 + 0.001 for earlier, later in pairwise(values))


def test_the_quick_decision_is_the_slow_one_but_for_a_hair() -> None:
    for table in _tables(25):
        quick = paired_p_value(*table, 25, 0.03, 0.05, decide=True) <= 0.05
        slow = paired_p_value(*table, 25, 0.03, 0.05)
        assert quick == (slow <= 0.05) or 0.0485 <= slow <= 0.0515


def test_twenty_thousand_rows_are_fine() -> None:
    value = paired_p_value(1_000, 1_110, 20_000, 0.0, 0.05)
    normal = 0.5 - 0.4916  # one-sided, z = 110 / sqrt(2110)
    assert value == pytest.approx(normal, abs=0.003)


@pytest.mark.parametrize(("table", "margin"), [((-1, 0, 5), 0.0), ((3, 3, 5), 0.0), ((1, 1, 5), 1.0)])
def test_tables_that_cannot_be_are_refused(table: tuple[int, int, int], margin: float) -> None:
    with pytest.raises(ValueError, match="worse"):
        paired_p_value(*table, margin, 0.05)
