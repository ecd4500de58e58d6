from typing import Any

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tune.axis import Axis

CASES: list[tuple[BaseDistribution, list[Any]]] = [
    (CategoricalDistribution(["a", "b", "c"]), ["a", "c"]),
    (CategoricalDistribution([False, True]), [False, True]),
    (IntDistribution(0, 5), [0, 2, 5]),
    (IntDistribution(16, 512, step=16), [16, 48, 512]),
    (IntDistribution(1, 1000, log=True), [1, 30, 1000]),
    (FloatDistribution(-1.0, 1.0), [-1.0, 0.25, 1.0]),
    (FloatDistribution(1e-5, 1.0, log=True), [1e-5, 0.01, 1.0]),
    (FloatDistribution(0.0, 0.6, step=0.1), [0.0, 0.3, 0.6]),
    (IntDistribution(3, 3), [3]),
]


@pytest.mark.parametrize(("distribution", "values"), CASES, ids=lambda each: str(each)[:45])
def test_values_come_back_and_what_is_drawn_or_next_to_it_is_in_the_space(
    distribution: BaseDistribution, values: list[Any]
) -> None:
    axis = Axis(distribution)
    for value in values:
        assert axis.decode(axis.encode(value)) == pytest.approx(value)
    drawn = axis.draw(np.random.default_rng(0).random(200))
    for number in drawn:
        for each in [number, *axis.neighbours(number)]:
            value = axis.decode(each)
            assert distribution._contains(distribution.to_internal_repr(value))
            assert axis.encode(value) == pytest.approx(each, abs=1e-9)
        assert not np.isclose(axis.neighbours(number), number, rtol=0, atol=1e-12).any()


@pytest.mark.parametrize("distribution", [CategoricalDistribution(["a", "b", "c"]), IntDistribution(0, 2)])
def test_few_values_are_drawn_equally_often_and_are_all_neighbours(distribution: BaseDistribution) -> None:
    axis = Axis(distribution)
    numbers, counts = np.unique(axis.draw(np.linspace(0, 1, 300, endpoint=False)), return_counts=True)
    assert counts.tolist() == [100, 100, 100]
    assert sorted([numbers[1], *axis.neighbours(numbers[1])]) == pytest.approx(numbers)
