"""Names that say what a recipe does."""

from __future__ import annotations

import re

import pytest

from evertune.errors import SettingsError
from export.recipes import CONVOLUTIONS, FP32, MATRIX_PRODUCTS, QUICK, RECIPES, Recipe, recipe_named


def test_a_name_says_what_is_done() -> None:
    assert recipe_named("int8-static-all") == Recipe("int8-static-all", "static", None)
    assert recipe_named("int8-static-conv-u8u8-tensor-entropy-qoperator") == Recipe(
        "int8-static-conv-u8u8-tensor-entropy-qoperator",
        "static",
        CONVOLUTIONS,
        activations_signed=False,
        weights_signed=False,
        per_channel=False,
        calibration="entropy",
        qoperator=True,
    )
    assert recipe_named("int8-dynamic").operators == MATRIX_PRODUCTS  # never convolutions
    assert recipe_named("int8-dynamic-tables-tensor").operators == (*MATRIX_PRODUCTS, "Gather")
    assert recipe_named("int4-64").block_rows == 64


@pytest.mark.parametrize(
    "name",
    [
        "int8",
        "int8-dynamic-conv",
        "int8-static",
        "int8-static-all-s8s8",
        "int8-static-all-tensor-u8s8",
        "int4-7",
        "fp32",
    ],
)
def test_another_name_is_an_error_that_knows_better(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"there is no recipe '{name}'"):
        recipe_named(name)


def test_a_slip_is_answered_with_the_closest_name() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'int8-dynamic-tables'"):
        recipe_named("int8-dynamic-table")


def test_every_recipe_may_stand_in_a_bundle_once() -> None:
    names = [FP32, *(recipe.name for recipe in RECIPES)]
    assert len(set(names)) == len(names)
    assert {recipe.name for recipe in QUICK} <= set(names)
    assert all(re.fullmatch(r"[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,7}", name) for name in names)  # what manifests take
