from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evertune.evaluation import reliability


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=50), st.integers(1, 20))
def test_every_row_is_in_one_bin_and_means_are_kept(rows: list[tuple[float, bool]], bins: int) -> None:
    confidence = np.array([value for value, _ in rows], float)
    correct = np.array([hit for _, hit in rows], bool)
    found = reliability(confidence, correct, bins=bins)
    assert sum(each.rows for each in found) == len(rows)
    assert len(found) <= bins
    assert np.isclose(sum(each.rows * each.confidence for each in found), confidence.sum())
    assert np.isclose(sum(each.rows * each.accuracy.value for each in found), correct.sum())
    for each in found:
        assert each.accuracy.interval.lower <= each.accuracy.value <= each.accuracy.interval.upper


def test_a_calibrated_model_lies_on_the_diagonal() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(size=20_000)
    found = reliability(confidence, random.uniform(size=20_000) < confidence)
    assert len(found) == 10
    assert all(abs(each.confidence - each.accuracy.value) < 0.04 for each in found)
