"""Back to FP32 where quantization costs too much."""

from __future__ import annotations

import math
from collections.abc import Callable

from evertune.errors import ExportError
from export.quantization.noise import worst_nodes
from export.quantization.quantizer import Quantizer
from export.quantization.verdict import Verdict
from export.recipes import Recipe

MOST_ROUNDS = 10
_MOST_SHARE = 0.5  # of the nodes; a model of which more must stay in FP32 gains too little
_LEAST_SAVED = 0.5  # of the bytes that the whole recipe saves, likewise


def fallback(quantizer: Quantizer, recipe: Recipe, judge: Callable[[bytes], Verdict]) -> tuple[bytes, tuple[str, ...]]:
    """Quantizes, and returns the worst nodes to FP32, a few more each round, until the model no longer loses.

    Args:
        quantizer: Of the model.
        recipe: How.
        judge: Of an ONNX file; on other rows than those that decide what ships.

    Returns:
        The ONNX file and the names of the nodes in FP32. Where ten rounds do not help: the file as if none had been
        tried, and no names; likewise where the model is half FP32 by then, or so slow that it is not worth mending.

    Raises:
        ExportError: The recipe cannot be made.
    """
    content = quantizer.quantize(recipe)
    if judge(content) is not Verdict.LOSES:
        return content, ()
    ranked = worst_nodes(quantizer, recipe)
    step = max(1, math.ceil(_MOST_SHARE * len(ranked) / MOST_ROUNDS))
    for count in range(step, min(len(ranked), step * MOST_ROUNDS) + 1, step):
        kept = tuple(ranked[:count])
        try:
            mended = quantizer.quantize(recipe, keep=kept)
        except ExportError:  # nothing is left to quantize
            break
        if len(quantizer.model_bytes) - len(mended) < _LEAST_SAVED * (len(quantizer.model_bytes) - len(content)):
            break
        verdict = judge(mended)
        if verdict is Verdict.KEEPS:
            return mended, kept
        if verdict is Verdict.HOPELESS:
            break
    return content, ()
