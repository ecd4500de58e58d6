"""Does the exported model answer as its source does?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evertune.errors import ExportError
from evertune.kinds import Parameters, kind_of
from evertune.runtime import Session
from evertune.tensors import Array, Signature, Tensors, TensorSpec

BATCH_SIZES = (1, 2, 7, 64)  # one row, the traced size, an odd one, and the server's largest by default
_MISSING_RATIO = 0.2  # of the values of a batch with gaps
_FIX = "Replace the layer or step that answers differently; to find it, export parts of the model, one by one."
_SEED = 0  # any fixed number: an export can be repeated
_RELATIVE_FLOOR = 1e-3  # outputs below are compared as if they were this large


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime's answers are from the source's, over all batch sizes.

    Attributes:
        rows: Rows compared.
        absolute: Largest difference of an output.
        relative: Largest difference divided by the source's output, or by 0.001 where that is smaller.
        agreement_ratio: Rows with the same decision: most probable class, predicted labels, first item. Regression
            decides nothing; there it is 1.
    """

    rows: int
    absolute: float
    relative: float
    agreement_ratio: float
    batch_sizes: tuple[int, ...] = BATCH_SIZES

    def to_json(self) -> dict[str, Any]:
        """The figures as in an attestation."""
        return asdict(self)


def compare(
    session: Session,
    predict: Callable[[Tensors], Tensors],
    rows: Tensors,
    *,
    absolute: float,
    free: bool = False,
    kind: str = "classification",
    parameters: Parameters | None = None,
    batch_rows: int = BATCH_SIZES[-1],
) -> Parity:
    """Runs both models on the same rows in batches of 1, 2, 7 and `batch_rows`.

    Where an axis may have any length, a batch of half the length is compared too; where values may be missing, one with
    gaps: in real rows they may be rare.

    Args:
        session: The exported model.
        predict: The source.
        rows: Real inputs; used again from the start where there are fewer than 74.
        absolute: Largest difference allowed; where outputs are larger than 1, times the largest of them.
        free: Only measure; for quantized models, which differ on purpose.
        kind: Of the task: what counts as a decision.
        parameters: Of the kind.
        batch_rows: The largest batch that the server makes.

    Raises:
        ExportError: A batch size fails, or the answers differ by more than `absolute`, or decide otherwise where the
            source's decision is not within that distance of another one.
    """
    first, *others = session.signature.outputs
    sizes = tuple(sorted({*BATCH_SIZES[:-1], batch_rows}))
    pairs = [(predict(batch), _run(session, batch)) for batch in _batches(rows, session.signature, sizes)]
    if any(spec.missing for spec in session.signature.inputs):
        batch = _with_gaps(rows, session.signature, batch_rows)
        pairs.append((_answers_gaps(predict, batch), _run(session, batch)))
    allowed = None if free else absolute
    found = _distance(pairs, first.name, allowed)
    gaps = [found, *(_distance(pairs, each.name, allowed) for each in others)]
    decide, known = kind_of(kind).decisions, {} if parameters is None else parameters
    decided, lead = decide(found.expected, known)
    same = (decided == decide(found.found, known)[0]).reshape(len(decided), -1).all(axis=1)
    tied = lead <= 2 * absolute * found.scale  # both classes may move by that much, towards each other
    if not free and not (same | tied).all():
        raise ExportError(f"the exported model decides otherwise: agreement is {same.mean():.1%}", fix=_FIX)
    return Parity(
        len(found.expected),
        max(each.absolute for each in gaps),
        max(each.relative for each in gaps),
        float(same.mean()),
        sizes,
    )


@dataclass(frozen=True)
class _Distance:
    """One output of both models, all batches, and how far they are apart."""

    expected: Array
    found: Array
    absolute: float
    relative: float
    scale: float  # of what is allowed: float32 keeps digits, not decimals


def _distance(pairs: list[tuple[Tensors, Tensors]], name: str, allowed: float | None) -> _Distance:
    """Compares one output; `allowed` of None only measures."""
    sides = [(source[name].astype(np.float64), exported[name].astype(np.float64)) for source, exported in pairs]
    for expected, found in sides:
        if expected.shape != found.shape:
            raise ExportError(
                f"the exported model gives {name!r} of shape {list(found.shape)}, the source {list(expected.shape)}",
                fix=_FIX,
            )
    differences = [np.nan_to_num(np.abs(expected - found)) for expected, found in sides]
    sizes = [np.nan_to_num(np.abs(expected)) for expected, _ in sides]
    if allowed is not None and any(not np.array_equal(np.isnan(one), np.isnan(two)) for one, two in sides):
        raise ExportError(f"the exported model and the source give NaN for different rows in {name!r}", fix=_FIX)
    off = max(float(each.max(initial=0)) for each in differences)
    scale = max(1.0, *(float(each.max(initial=0)) for each in sizes))
    if allowed is not None and off > allowed * scale:
        raise ExportError(
            f"the exported model is off by {off:.3g} in {name!r}, {allowed * scale:.3g} is allowed", fix=_FIX
        )
    relative = max(
        float((each / np.maximum(size, _RELATIVE_FLOOR)).max(initial=0))
        for each, size in zip(differences, sizes, strict=True)
    )
    width = sides[0][0].shape[1:]  # another length of an axis may give another shape
    whole = [np.concatenate([side[which] for side in sides if side[0].shape[1:] == width]) for which in (0, 1)]
    return _Distance(whole[0], whole[1], off, relative, scale)


def _batches(rows: Tensors, signature: Signature, sizes: tuple[int, ...]) -> Iterator[Tensors]:
    """Every batch size; where an axis may have any length, the largest batch once more, cut to half that length."""
    count = len(next(iter(rows.values())))
    start = 0
    for size in sizes:
        positions = np.arange(start, start + size) % count
        batch = {name: value[positions] for name, value in rows.items()}
        yield batch
        start += size
    if any(None in spec.shape for spec in signature.inputs):
        yield {spec.name: _halved(batch[spec.name], spec) for spec in signature.inputs}


def _halved(value: Array, spec: TensorSpec) -> Array:
    cut = [
        slice(max(1, value.shape[axis] // 2)) if size is None else slice(None)
        for axis, size in enumerate(spec.shape, 1)
    ]
    return np.ascontiguousarray(value[(slice(None), *cut)])


def _with_gaps(rows: Tensors, signature: Signature, size: int) -> Tensors:
    """Real rows of which some values are missing, in the first one all."""
    random = np.random.default_rng(_SEED)
    batch = {name: value[np.arange(size) % len(value)] for name, value in rows.items()}
    for spec in signature.inputs:
        if spec.missing:
            gaps = random.random(batch[spec.name].shape) < _MISSING_RATIO
            gaps[0] = True
            batch[spec.name] = np.where(gaps, np.float32("nan"), batch[spec.name]).astype(spec.dtype)
    return batch


def _answers_gaps(predict: Callable[[Tensors], Tensors], batch: Tensors) -> Tensors:
    """The source's answers, which must be numbers."""
    fix = "Fill in what is missing in the model or in Task.preprocessor, or declare the input without missing=True."
    try:
        found = predict(batch)
    except Exception as error:  # whatever a framework raises
        problem = str(error).strip().splitlines()[0][:200]
        raise ExportError(f"the model has no answer where inputs are missing: {problem}", fix=fix) from error
    if any(np.isnan(value).any() for value in found.values()):
        raise ExportError("the model answers NaN where inputs are missing", fix=fix)
    return found


def _run(session: Session, batch: Tensors) -> Tensors:
    size = len(next(iter(batch.values())))
    try:
        return session.run(batch)
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise ExportError(
            f"the exported model fails on a batch of {size} rows: {str(error).splitlines()[0][:300]}",
            fix="Use -1 or keras.ops.shape(x)[0] for the batch axis in your layers, never a number.",
            rows=size,
        ) from error
