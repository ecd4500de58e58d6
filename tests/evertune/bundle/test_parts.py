from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertune.bundle import ConfidenceMap, Golden, Reference
from evertune.bundle.canonical import from_canonical, to_canonical
from evertune.errors import BundleError
from evertune.tensors import Signature, TensorSpec

_probabilities = st.floats(0, 1, allow_nan=False)


@given(
    st.lists(_probabilities, min_size=1, max_size=20, unique=True),
    st.lists(_probabilities, min_size=20, max_size=20),
    st.lists(_probabilities, min_size=2, max_size=50),
)
def test_any_confidence_map_is_monotone_within_bounds_and_survives_json(
    x: list[float], y: list[float], raw: list[float]
) -> None:
    mapping = ConfidenceMap(tuple(sorted(x)), tuple(sorted(y[: len(x)])), rows=10)
    calibrated = mapping(np.sort(raw))
    assert (np.diff(calibrated) >= 0).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    again = ConfidenceMap.from_json(from_canonical(to_canonical(mapping.to_json()), "calibration.json"))
    assert again == mapping


@pytest.mark.parametrize(
    ("x", "y"),
    [((), ()), ((0.0,), ()), ((0.0, 0.0), (0.0, 1.0)), ((0.0, 1.0), (1.0, 0.0)), ((0.0,), (1.5,)), ((np.nan,), (0.5,))],
)
def test_maps_that_are_not_monotone_are_refused(x: tuple[float, ...], y: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="not a monotone map"):
        ConfidenceMap(x, y, rows=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"loss_mean": 0.3},
        {"loss_mean": float("nan")},
        {"loss_upper_bound": 1.1},
        {"rows": 0},
        {"confidence_mean": 2.0},
        {"confidence_level": 1.0},
    ],
)
def test_references_out_of_range_are_refused(changes: dict[str, float]) -> None:
    good = {"loss_mean": 0.1, "loss_upper_bound": 0.2, "rows": 10, "confidence_mean": 0.9}
    with pytest.raises(ValueError, match=r"losses|confidence"):
        Reference(**{**good, **changes})  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=r"reference\.json"):
        Reference.from_json({**good, **changes})


@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        ({"p": np.array([[0.5, np.nan]], np.float32)}, "off by nan"),
        ({"p": np.array([[0.5, 0.6]], np.float32)}, r"off by 0\.1"),
        ({"p": np.array([[0.5, 0.5]], np.float64)}, "float64"),
        ({"p": np.array([0.5, 0.5], np.float32)}, r"float32\[2\]"),
        ({"q": np.array([[0.5, 0.5]], np.float32)}, r"outputs are \['q'\]"),
    ],
)
def test_golden_rows_find_every_difference(outputs: dict[str, np.ndarray], problem: str) -> None:
    golden = Golden({"x": np.zeros((1, 1))}, {"p": np.array([[0.5, 0.5]], np.float32)}, 0.01)
    golden.check({"p": np.array([[0.505, 0.495]], np.float32)})
    with pytest.raises(BundleError, match=problem):
        golden.check(outputs)


def test_golden_rows_survive_json_bit_by_bit() -> None:
    golden = Golden({"x": np.array([[1, 2]], np.uint8)}, {"p": np.array([[1 / 3]], np.float32)}, 1e-4)
    again = Golden.from_json(golden.to_json())
    assert again.inputs["x"].tobytes() == golden.inputs["x"].tobytes()
    assert again.outputs["p"].tobytes() == golden.outputs["p"].tobytes()
    assert again.absolute_tolerance == 1e-4
    with pytest.raises(BundleError, match="tolerance"):
        Golden.from_json({**golden.to_json(), "absolute_tolerance": -1.0})


@pytest.mark.parametrize("value", [10**400, "0.5", True, None, [0.5]])
def test_numbers_that_are_none_are_refused_in_every_part(value: object) -> None:
    with pytest.raises(BundleError, match=r"calibration\.json"):
        ConfidenceMap.from_json({"knots_x": [0.0, value], "knots_y": [0.0, 1.0], "rows": 1})
    with pytest.raises(BundleError, match=r"reference\.json"):
        Reference.from_json({"loss_mean": 0.1, "loss_upper_bound": 0.2, "rows": 10, "confidence_mean": value})
    golden = Golden({"x": np.zeros((1, 1))}, {"p": np.zeros((1, 1))}, 0.01)
    with pytest.raises(BundleError, match=r"golden\.json"):
        Golden.from_json({**golden.to_json(), "absolute_tolerance": value})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"inputs": {"z": np.zeros((1, 2), np.float32)}}, "not those of the signature"),
        ({"inputs": {"x": np.zeros((1, 2), np.float64)}}, r"'x' as float64\[1, 2\]"),
        ({"inputs": {"x": np.zeros((1, 3), np.float32)}}, r"'x' as float32\[1, 3\]"),
        ({"inputs": {"x": np.zeros((0, 2), np.float32)}}, "rows"),
        ({"inputs": {"x": np.zeros((2, 2), np.float32)}}, r"of \[1, 2\] rows"),
        ({"absolute_tolerance": 0.7}, "prove nothing"),
    ],
)
def test_golden_rows_that_do_not_fit_the_signature_or_prove_nothing_are_refused(
    changes: dict[str, Any], problem: str
) -> None:
    signature = Signature((TensorSpec("x", "float32", (2,)),), (TensorSpec("p", "float32", (None,)),))
    good = Golden({"x": np.zeros((1, 2), np.float32)}, {"p": np.ones((1, 1), np.float32)}, 0.05)
    good.fit(signature)
    with pytest.raises(BundleError, match=rf"golden\.json .*{problem}"):
        replace(good, **changes).fit(signature)
