"""Does the exported model answer as its source does?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evertune.errors import ExportError
from evertune.kinds import Parameters, kind_of
from evertune.runtime import Session
from evertune.tensors import Tensors

BATCH_SIZES = (1, 2, 7, 64)  # one row, the traced size, an odd one, and the server's largest by default
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
) -> Parity:
    """Runs both models on the same rows in batches of 1, 2, 7 and 64.

    Args:
        session: The exported model.
        predict: The source.
        rows: Real inputs; used again from the start where there are fewer than 74.
        absolute: Largest difference allowed; where outputs are larger than 1, times the largest of them.
        free: Only measure; for quantized models, which differ on purpose.
        kind: Of the task: what counts as a decision.
        parameters: Of the kind.

    Raises:
        ExportError: A batch size fails, or the answers differ by more than `absolute`, or decide otherwise where the
            source's decision is not within that distance of another one.
    """
    name = session.signature.outputs[0].name
    pairs = [
        (predict(batch)[name].astype(np.float64), _run(session, batch)[name].astype(np.float64))
        for batch in _batches(rows)
    ]
    for expected, found in pairs:
        if expected.shape != found.shape:
            raise _differs(f"has shape {list(found.shape)}, the source {list(expected.shape)}")
    expected, found = (np.concatenate(side) for side in zip(*pairs, strict=True))
    if not free and not np.array_equal(np.isnan(expected), np.isnan(found)):
        raise _differs("and the source give NaN for different rows")
    difference = np.nan_to_num(np.abs(expected - found))
    allowed = absolute * max(1.0, float(np.nan_to_num(np.abs(expected)).max()))  # float32 keeps digits, not decimals
    decide = kind_of(kind).decisions
    known = {} if parameters is None else parameters
    decided, lead = decide(expected, known)
    same = (decided == decide(found, known)[0]).reshape(len(expected), -1).all(axis=1)
    parity = Parity(
        len(expected),
        float(difference.max()),
        float((difference / np.maximum(np.nan_to_num(np.abs(expected)), _RELATIVE_FLOOR)).max()),
        float(same.mean()),
    )
    tied = lead <= 2 * allowed  # both classes may move by `allowed`, towards each other
    if not free and (parity.absolute > allowed or not (same | tied).all()):
        raise _differs(f"is off by {parity.absolute:.3g}, {allowed:.3g} is allowed; agreement is {same.mean():.1%}")
    return parity


def _batches(rows: Tensors) -> Iterator[Tensors]:
    count = len(next(iter(rows.values())))
    start = 0
    for size in BATCH_SIZES:
        positions = np.arange(start, start + size) % count
        yield {name: value[positions] for name, value in rows.items()}
        start += size


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


def _differs(how: str) -> ExportError:
    return ExportError(
        f"the exported model {how}",
        fix="Find the layer that answers differently: export the model without its last layers, one by one.",
    )
