"""The precisions that are tried on every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FP32 = "fp32"
MATRIX_PRODUCTS = ("MatMul", "Gemm")


@dataclass(frozen=True)
class Recipe:
    """One way to quantize.

    Attributes:
        name: As in a bundle's manifest.
        method: "dynamic" measures activations at each run, "static" once, on calibration rows.
        operators: ONNX operators to quantize; None: all that ONNX Runtime can.
    """

    name: str
    method: Literal["dynamic", "static"]
    operators: tuple[str, ...] | None


RECIPES = (
    # Matrix products only: dynamically quantized convolutions ran about ten times slower than FP32 wherever measured.
    Recipe("int8-dynamic", "dynamic", MATRIX_PRODUCTS),
    Recipe("int8-static-all", "static", None),
    Recipe("int8-static-matmul", "static", MATRIX_PRODUCTS),
)
