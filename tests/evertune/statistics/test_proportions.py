"""Coverage of the intervals of a proportion, summed exactly over all outcomes."""

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from evertune.statistics import clopper_pearson, finite_population, upper_bound, wilson

GRID = np.linspace(0.0, 1.0, 201)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 5, 30, 80])
def test_clopper_pearson_never_covers_less_than_promised(n: int, level: float) -> None:
    intervals = [clopper_pearson(k, n, level) for k in range(n + 1)]
    for p in GRID:
        covered = [k for k in range(n + 1) if p in intervals[k]]
        assert binom.pmf(covered, n, p).sum() >= level - 1e-9


@pytest.mark.parametrize("n", [30, 100, 400])
def test_wilson_covers_about_what_it_says_on_average(n: int) -> None:
    intervals = [wilson(k, n, 0.95) for k in range(n + 1)]
    coverage = [binom.pmf([k for k in range(n + 1) if p in intervals[k]], n, p).sum() for p in GRID[1:-1]]
    assert 0.94 <= np.mean(coverage) <= 0.965
    assert min(coverage) >= 0.83  # the known dip near 0 and 1


@pytest.mark.parametrize(("population", "labelled"), [(1, 1), (12, 5), (40, 10), (40, 39), (40, 40), (25, 0)])
def test_finite_population_covers_every_population(population: int, labelled: int) -> None:
    intervals = [finite_population(k, labelled, population, 0.9) for k in range(labelled + 1)]
    for total in range(population + 1):
        covered = [k for k in range(labelled + 1) if total / population in intervals[k]]
        assert hypergeom.pmf(covered, population, total, labelled).sum() >= 0.9 - 1e-9


def test_finite_population_shrinks_to_a_point_as_labels_become_complete() -> None:
    widths = [finite_population(round(0.8 * n), n, 1000).width for n in (50, 200, 800, 1000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0.0


@pytest.mark.parametrize("n", [1, 7, 50])
def test_upper_bound_of_zero_one_losses_is_exact_and_not_wasteful(n: int) -> None:
    bounds = np.array([upper_bound([1.0] * k + [0.0] * (n - k), 0.95) for k in range(n + 1)])
    coverage = [binom.pmf(np.flatnonzero(bounds >= p - 1e-12), n, p).sum() for p in GRID]
    assert min(coverage) >= 0.95 - 1e-9
    assert min(coverage) <= 0.96


@pytest.mark.parametrize("make", [wilson, clopper_pearson])
def test_proportions_know_nothing_without_rows_and_refuse_nonsense(make: object) -> None:
    assert callable(make)
    assert (make(0, 0).lower, make(0, 0).upper) == (0.0, 1.0)
    for successes, n in [(-1, 5), (6, 5)]:
        with pytest.raises(ValueError, match="successes"):
            make(successes, n)
    with pytest.raises(ValueError, match="confidence_level"):
        make(1, 2, 1.0)
    with pytest.raises(ValueError, match="confidence_level"):
        finite_population(1, 2, 3, 0.0)


def test_ends_are_exact_where_all_or_none_succeed() -> None:
    for make in (wilson, clopper_pearson):
        assert make(0, 9).lower == 0.0
        assert make(9, 9).upper == 1.0
