"""From logged predictions to a few named columns of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from evertune.ledger import Prediction
from evertune.tensors import Array

_MOST_ELEMENTS = 20  # an input with more, a picture say, is told by its mean and spread


def features(batch: Sequence[Prediction]) -> dict[str, Array]:
    """Columns of all rows of the predictions whose inputs were kept.

    Names come from the model's signature, never from a client: `input`, `input[2]`, `input.mean`, `input.spread`,
    then `confidence` and, where the first output has a score for each class, `predicted`.

    Args:
        batch: Of one bundle.

    Returns:
        float64 arrays of shape (rows,); empty where no inputs were kept.

    Example:
        >>> outputs = {"scores": np.array([[0.2, 0.8]])}
        >>> inputs, confidence = {"x": np.array([[3, 5]])}, np.array([0.7], np.float32)
        >>> one = Prediction("id", "m", "d", 0.0, outputs, confidence, inputs=inputs)
        >>> {name: values.tolist() for name, values in features([one]).items() if name != "confidence"}
        {'x[0]': [3.0], 'x[1]': [5.0], 'predicted': [1.0]}
    """
    kept = [prediction for prediction in batch if prediction.inputs is not None]
    if not kept:
        return {}
    found: dict[str, Array] = {}
    for name in kept[0].inputs or {}:
        parts = [prediction.inputs[name] for prediction in kept if prediction.inputs and name in prediction.inputs]
        found.update(_columns(name, parts))
    found["confidence"] = np.concatenate([prediction.confidence for prediction in kept]).astype(np.float64)
    scores = [next(iter(prediction.outputs.values())) for prediction in kept]
    if scores[0].ndim == 2 and scores[0].shape[1] > 1:
        found["predicted"] = np.concatenate([each.argmax(axis=1) for each in scores]).astype(np.float64)
    return found


def _columns(name: str, parts: Sequence[Array]) -> Iterator[tuple[str, Array]]:
    if parts[0].dtype.kind not in "biuf":
        return
    rows = [part.reshape(len(part), -1).astype(np.float64) for part in parts]
    if any(row.shape[1] != rows[0].shape[1] for row in rows) or not 0 < rows[0].shape[1] <= _MOST_ELEMENTS:
        yield f"{name}.mean", np.concatenate([row.mean(axis=1) for row in rows])
        yield f"{name}.spread", np.concatenate([row.std(axis=1) for row in rows])
        return
    table = np.concatenate(rows)
    for index in range(table.shape[1]):
        yield (name if table.shape[1] == 1 else f"{name}[{index}]"), table[:, index]
