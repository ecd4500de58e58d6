"""Every recipe of a list, made and proved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.tensors import Signature
from export.candidate import Candidate
from export.parity import Parity
from export.quantization.fallback import fallback
from export.quantization.quantizer import Quantizer
from export.quantization.verdict import Verdict
from export.recipes import Recipe

Prove = Callable[[bytes], tuple[Session, Parity]]


def candidates(
    model_bytes: bytes,
    signature: Signature,
    calibration: Rows,
    recipes: Sequence[Recipe],
    prove: Prove,
    judge: Callable[[bytes], Verdict] | None = None,
) -> list[tuple[Candidate, Session | None]]:
    """One candidate a recipe, in their order; its session where it may be measured.

    Args:
        model_bytes: FP32, optimised.
        signature: Of the model.
        calibration: Rows that ranges are found on.
        recipes: What to try.
        prove: Verifies a file, loads it and compares it with the trained model; raises ExportError.
        judge: Of `fallback`; None: a recipe is taken as it is.
    """
    try:
        quantizer = Quantizer(model_bytes, signature, calibration)
    except ExportError as error:  # a precision that cannot be made is a finding, not a failure
        return [(Candidate(recipe.name, refused=error.message), None) for recipe in recipes]
    made: dict[bytes, str] = {}
    found: list[tuple[Candidate, Session | None]] = []
    for recipe in recipes:
        try:
            content, kept = fallback(quantizer, recipe, judge) if judge else (quantizer.quantize(recipe), ())
            if content in made:
                found.append((Candidate(recipe.name, refused=f"gives the same file as {made[content]}"), None))
                continue
            session, parity = prove(content)
        except ExportError as error:
            found.append((Candidate(recipe.name, refused=error.message), None))
            continue
        made[content] = recipe.name
        ratio = len(content) / len(model_bytes)
        candidate = Candidate(recipe.name, content, size_ratio=ratio, parity=parity, nodes_kept=len(kept))
        found.append((candidate, session))
    return found
