from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from evertune.errors import InputError
from evertune.preprocessing import Hashed, Preprocessor

STEP = Hashed(("user", "page"), (1000, 7))


def test_a_value_has_one_bucket_for_ever_and_null_has_its_own() -> None:
    # Written down: a model's embedding must find the same rows in every process and every later version.
    found = STEP.transform({"user": ["u-17", 7, "7", None, "\ud800"], "page": ["é", "", True, math.nan, np.int64(3)]})
    assert found.dtype == np.int32
    assert found.tolist() == [[873, 3], [891, 1], [891, 3], [0, 0], [465, 5]]
    assert STEP.sizes == (1001, 8)


def test_values_spread_over_all_buckets_evenly() -> None:
    counts = np.bincount(Hashed(("id",), (50,)).transform({"id": list(range(20_000))}).ravel(), minlength=51)
    assert counts[0] == 0
    assert counts[1:].min() > 300  # of 400 expected, 20 the deviation
    assert counts[1:].max() < 500


def test_it_is_the_same_step_after_a_bundle_and_describes_its_columns() -> None:
    both = Preprocessor((STEP,))
    assert Preprocessor.from_json(both.to_json()) == both
    assert [(column.name, column.type) for column in both.columns] == [("user", "category"), ("page", "category")]
    assert both.outputs[0].shape == (2,)


def test_what_is_no_id_is_refused_by_name_and_row() -> None:
    with pytest.raises(InputError, match=r"column 'page', row 1: 1\.5 is neither"):
        STEP.transform({"user": ["a", "b"], "page": ["x", 1.5]})


@pytest.mark.parametrize(
    "change",
    [{"buckets": [1000]}, {"buckets": [0, 7]}, {"buckets": [True, 7]}, {"buckets": [10**7, 7]}, {"buckets": [1.0, 7]},
     {"names": ["user", "user"]}, {"names": []}, {"output": 1}],
)  # fmt: skip
def test_forged_data_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Hashed.from_json({**STEP.to_json(), **change})
