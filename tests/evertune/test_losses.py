from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evertune.errors import TaskError
from evertune.losses import row_losses
from evertune.tensors import Array

_probabilities = arrays.arrays(np.float32, (6, 3), elements=st.floats(0, 1, width=32))
_labels = st.lists(st.integers(0, 2), min_size=6, max_size=6)


@given(_probabilities, _labels)
def test_losses_lie_in_the_unit_interval_and_are_zero_for_the_predicted_class(p: Array, y: list[int]) -> None:
    losses = row_losses("classification", {"probabilities": p}, np.array(y))
    assert losses.dtype == np.float64
    assert set(losses) <= {0.0, 1.0}
    assert not row_losses("classification", {"probabilities": p}, p.argmax(axis=1)).any()


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(TaskError, match="'poetry' is not known"):
        row_losses("poetry", {}, np.empty(0))
