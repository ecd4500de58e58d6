from __future__ import annotations

import numpy as np

from tune.pareto import non_dominated


def test_nothing_has_an_empty_front() -> None:
    assert non_dominated([]) == []


def test_a_point_is_on_the_front_unless_another_is_no_worse_anywhere_and_better_somewhere() -> None:
    random = np.random.default_rng(0)
    for columns in (1, 2, 3):
        points = random.integers(0, 6, (40, columns)).tolist()  # with ties
        beaten = [
            any(
                all(a <= b for a, b in zip(other, point, strict=True))
                and any(a < b for a, b in zip(other, point, strict=True))
                for other in points
            )
            for point in points
        ]
        assert non_dominated(points) == [index for index, is_beaten in enumerate(beaten) if not is_beaten]


def test_equal_points_stay_together() -> None:
    assert non_dominated([(1, 2), (1, 2), (2, 2)]) == [0, 1]
