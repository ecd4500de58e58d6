"""`/predict`: rows in, answers of the task's kind and confidence out."""

from __future__ import annotations

from typing import Any

from evertune.errors import InputError
from evertune.ids import row_id
from evertune.tensors import Signature, Tensors
from serve.decode import decode
from serve.live import Live
from serve.reply import Reply
from serve.ticket import Outcome


def read_inputs(document: dict[str, Any], signature: Signature) -> Tensors:
    """Reads `{"inputs": {name: rows}}` or `{"instances": [row, ...]}`.

    An instance is one row: the value itself where the model has one input, else `{name: value}`.

    Raises:
        InputError: Names what is missing, unknown or malformed.
    """
    if "inputs" in document and "instances" not in document:
        columns = document["inputs"]
    elif "instances" in document and "inputs" not in document:
        columns = _columns(document["instances"], signature)
    else:
        raise InputError(
            "the body needs either 'inputs' or 'instances'", fix='Send {"inputs": {name: [row, ...]}}, rows in full.'
        )
    if not isinstance(columns, dict):
        raise InputError("'inputs' is not an object", fix='Send {"inputs": {name: [row, ...]}}.')
    dtypes = {spec.name: spec.dtype for spec in signature.inputs}
    inputs = {name: decode(rows, dtypes[name], name) for name, rows in columns.items() if name in dtypes}
    unknown = {name: decode([], "uint8", name) for name in columns if name not in dtypes}
    signature.check_inputs({**inputs, **unknown})  # refuses unknown names with the list of the right ones
    return inputs


def _columns(instances: Any, signature: Signature) -> dict[str, list[Any]]:
    if not isinstance(instances, list):
        raise InputError("'instances' is not a list", fix='Send {"instances": [row, ...]}.')
    names = [spec.name for spec in signature.inputs]
    if len(names) == 1 and not any(isinstance(instance, dict) for instance in instances):
        return {names[0]: instances}
    if not all(isinstance(instance, dict) and set(instance) == set(names) for instance in instances):
        raise InputError("an instance does not have the model's inputs", fix=f"Send objects with exactly {names}.")
    return {name: [instance[name] for instance in instances] for name in names}


def write_response(live: Live, outcome: Outcome) -> Reply:
    """One prediction a row: its id, what the kind of task answers, and the expected score of that answer."""
    answers = live.kind.answer(outcome.outputs, live.labels, live.bundle.manifest.parameters)
    return Reply.json(
        {
            "predictions": [
                {"id": row_id(outcome.request_id, row), **answer, "confidence": confidence}
                for row, (answer, confidence) in enumerate(zip(answers, outcome.confidence, strict=True))
            ],
            "model": live.model,
            "digest": live.digest,
        }
    )
