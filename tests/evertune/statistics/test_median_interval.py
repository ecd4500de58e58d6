"""The interval of a median, held against exact sums of the binomial law."""

from __future__ import annotations

import math

import pytest

from evertune.statistics import median_interval


def coverage(count: int, first: int, last: int) -> float:
    """Probability that the median lies between the order statistics `first` and `last`, counted from 1."""
    outcomes: int = sum(math.comb(count, below) for below in range(first, last))
    return outcomes / int(2**count)


@pytest.mark.parametrize("count", [6, 7, 15, 25, 51, 101])
def test_coverage_is_at_least_the_level_and_no_narrower_pair_has_it(count: int) -> None:
    interval = median_interval([float(value) for value in range(count, 0, -1)])
    first, last = int(interval.lower), int(interval.upper)
    assert first + last == count + 1
    assert coverage(count, first, last) >= 0.95
    assert coverage(count, first + 1, last - 1) < 0.95


def test_too_few_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="5 values are too few"):
        median_interval([1.0, 2.0, 3.0, 4.0, 5.0])
