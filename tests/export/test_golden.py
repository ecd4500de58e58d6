"""How much another machine may differ on the rows that prove a load, by recipe."""

from __future__ import annotations

import numpy as np
import pytest

from evertune.errors import BundleError
from evertune.rows import Rows
from evertune.tensors import Signature
from export.golden import golden_rows, tolerance_of
from export.recipes import RECIPES, aware, recipe_named
from export.verify import verify
from tests.export.conftest import GraphMaker


@pytest.mark.parametrize(
    ("recipe", "tolerance"), [("fp32", 1e-3), ("int8-weights", 1e-3), ("fp16", 0.0125), ("int8-dynamic", 0.05)]
)
def test_the_rows_take_what_the_recipe_may_round_otherwise_and_no_more(
    recipe: str, tolerance: float, linear: GraphMaker, signature: Signature
) -> None:
    x = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    session = verify(linear(), signature)
    golden = golden_rows(session, Rows({"x": x}, np.zeros(30, np.int64)), recipe)
    assert golden.absolute_tolerance == tolerance
    answers = session.run(golden.inputs)["probabilities"]
    assert len(answers) == 8
    golden.check({"probabilities": answers + np.float32(0.9 * tolerance)})
    with pytest.raises(BundleError, match="is off by"):
        golden.check({"probabilities": answers + np.float32(1.1 * tolerance)})


def test_whatever_rounds_activations_to_integers_has_the_widest() -> None:
    floats = {"fp16", "int8-weights"}
    others = [each for each in (*RECIPES, aware(recipe_named("int8-static-all"))) if each.name not in floats]
    assert {each.method for each in others} == {"dynamic", "static", "int4"}
    assert {tolerance_of(each.name) for each in others} == {0.05}


def test_large_values_may_differ_in_proportion(linear: GraphMaker, signature: Signature) -> None:
    session = verify(linear(softmax=False, scale=100.0), signature)
    rows = Rows({"x": np.eye(4, dtype=np.float32)}, np.zeros(4, np.int64))
    golden = golden_rows(session, rows, "fp32")
    assert golden.absolute_tolerance == pytest.approx(1e-3 * np.abs(golden.outputs["probabilities"]).max())
    assert golden.absolute_tolerance > 0.01
