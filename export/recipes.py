"""The precisions that are tried, each a name that says what it is.

A name is simple lower-case tokens joined with "-":

    int8-static-<operators>[-<types>][-tensor][-<calibration>][-qoperator]
    int8-dynamic[-<operators>][-tensor]
    int4[-<rows a scale>]
    int8-weights
    fp16

where what is left out is S8S8 types, one scale a channel, MinMax calibration and the QDQ format. Every such name may
stand in `[export] recipes`; the lists below are those that are tried unasked.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Literal

from evertune.errors import SettingsError

FP32 = "fp32"
FP16 = "fp16"
STORED = "int8-weights"
MATRIX_PRODUCTS = ("MatMul", "Gemm")
CONVOLUTIONS = ("Conv", "ConvTranspose")

Method = Literal["fp16", "dynamic", "static", "weights", "int4"]
Calibration = Literal["minmax", "entropy", "percentile"]

_OPERATORS: dict[str, tuple[str, ...] | None] = {
    "all": None,
    "matmul": MATRIX_PRODUCTS,
    "conv": CONVOLUTIONS,
    "arithmetic": (*MATRIX_PRODUCTS, *CONVOLUTIONS),
    "tables": (*MATRIX_PRODUCTS, "Gather"),
}
_TYPES = ("s8s8", "u8s8", "u8u8")
_CALIBRATIONS: tuple[Calibration, ...] = ("minmax", "entropy", "percentile")
_BLOCKS = (32, 64, 128)  # rows of a 4-bit matrix that share a scale: what the kernels know


@dataclass(frozen=True)
class Recipe:
    """One way to make a model smaller.

    Attributes:
        name: As in a bundle's manifest.
        method: "fp16" halves every number; "dynamic" measures activations at each run; "static" once, on calibration
            rows; "weights" stores weights in INT8 and computes in FP32; "int4" keeps large matrices in 4 bits.
        operators: ONNX operators to quantize; None: all that ONNX Runtime can.
        activations_signed: INT8 (S8) or UINT8 (U8) activations; dynamic ones are always U8.
        weights_signed: Likewise for weights.
        per_channel: One scale for each column or filter instead of one a weight.
        calibration: How static ranges are found.
        qoperator: Integer operators in the file instead of quantize and dequantize pairs around those of FP32.
        block_rows: Rows of a 4-bit matrix that share a scale.
    """

    name: str
    method: Method
    operators: tuple[str, ...] | None = MATRIX_PRODUCTS
    activations_signed: bool = True
    weights_signed: bool = True
    per_channel: bool = True
    calibration: Calibration = "minmax"
    qoperator: bool = False
    block_rows: int = 32


def aware(recipe: Recipe) -> Recipe:
    """The same on weights that were fine-tuned for it."""
    return replace(recipe, name="int8-aware")


def recipe_named(name: str) -> Recipe:
    """The recipe that a name means.

    Raises:
        SettingsError: There is no such recipe; names the closest.

    Example:
        >>> recipe_named("int8-static-conv-u8s8-entropy").calibration
        'entropy'
    """
    recipe = _parse(name)
    if recipe is None:
        known = [each.name for each in RECIPES]
        close = difflib.get_close_matches(name, known, 1)
        raise SettingsError(
            f"[export] recipes: there is no recipe {name!r}",
            fix=f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(known)}; see docs/export.md.",
        )
    return recipe


def _parse(name: str) -> Recipe | None:
    match name.split("-"):
        case ["fp16"]:
            return Recipe(name, "fp16", None)
        case ["int8", "weights"]:
            return Recipe(name, "weights", None)
        case ["int4"]:
            return Recipe(name, "int4")
        case ["int4", rows] if rows in map(str, _BLOCKS[1:]):
            return Recipe(name, "int4", block_rows=int(rows))
        case ["int8", "dynamic", *rest]:
            return _dynamic(name, rest)
        case ["int8", "static", operators, *rest] if operators in _OPERATORS:
            return _static(name, _OPERATORS[operators], rest)
    return None


def _dynamic(name: str, rest: list[str]) -> Recipe | None:
    operators = _OPERATORS["tables"] if _take(rest, ("tables",)) else MATRIX_PRODUCTS
    per_channel = not _take(rest, ("tensor",))
    return None if rest else Recipe(name, "dynamic", operators, per_channel=per_channel)


def _static(name: str, operators: tuple[str, ...] | None, rest: list[str]) -> Recipe | None:
    types = _take(rest, _TYPES[1:]) or _TYPES[0]
    per_channel = not _take(rest, ("tensor",))
    calibration = next((each for each in _CALIBRATIONS[1:] if _take(rest, (each,))), _CALIBRATIONS[0])
    qoperator = bool(_take(rest, ("qoperator",)))
    if rest:
        return None
    return Recipe(
        name, "static", operators, types[0] == "s", types[2] == "s", per_channel, calibration, qoperator=qoperator
    )


def _take(tokens: list[str], known: tuple[str, ...]) -> str | None:
    """The next token if it is a known one; a name has its tokens in one order, so that a recipe has one name."""
    return tokens.pop(0) if tokens and tokens[0] in known else None


_QUICK = ("int8-dynamic-tables", "int8-static-all-u8s8", "int8-weights")
QUICK = tuple(map(recipe_named, _QUICK))
"""Tried on every trial of a search, and on models that are not trained yet."""

RECIPES = tuple(
    map(
        recipe_named,
        (
            *_QUICK,
            "int8-dynamic-tables-tensor",
            "int8-static-all",
            "int8-static-all-u8s8-tensor",
            "int8-static-all-u8s8-percentile",
            "int8-static-all-u8s8-qoperator",
            "int8-static-all-u8u8",
            "int8-static-matmul-u8s8",
            "int4",
            "int4-128",
            "fp16",
        ),
    )
)
"""Tried on the model that is to ship. Each is the best of the list on some model, or was on some processor.

The quick ones come first: of two recipes that give the same file the later is dropped."""
