"""Which request each method of a client makes, and how its answer is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import orjson

from evertune.client.call import Call
from evertune.client.errors import not_understood
from evertune.client.inference import LENGTH, Inference, infer_body, read_inference
from evertune.client.prediction import Prediction, read_predictions
from evertune.client.receipt import Receipt, read_receipt
from evertune.errors import InputError
from evertune.ids import new_request_id
from evertune.tensors import Array

_JSON = {"Content-Type": "application/json"}
_AGAIN = "Idempotency-Key"  # the same for all attempts of a call, so that the server records it once


def predict(row: Any, model: str | None) -> Call[Prediction]:
    """One row."""
    return Call("POST", "/predict", _read_one, *_rows([row], model))


def predict_many(rows: Iterable[Any], model: str | None) -> Call[list[Prediction]]:
    """Some rows in one request."""
    return Call("POST", "/predict", read_predictions, *_rows(list(rows), model))


Truth = str | float | Sequence[str | int] | None
"""What the kinds of tasks take as a label."""


def label(
    labels: Iterable[tuple[Prediction | str, Truth]], at: float | None = None, *, final: bool = False
) -> Call[Receipt]:
    """Some labels in one request."""
    more: dict[str, Any] = ({} if at is None else {"at": at}) | ({"final": True} if final else {})
    items = [{"id": row.id if isinstance(row, Prediction) else row, "label": value, **more} for row, value in labels]
    return Call("POST", "/labels", read_receipt, _json({"labels": items}), _JSON)


def infer(model: str, inputs: Mapping[str, Array], outputs: Sequence[str] | None) -> Call[Inference]:
    """Arrays to arrays."""
    request_id = new_request_id()
    content, length = infer_body(inputs, outputs, request_id)
    headers = {"Content-Type": "application/octet-stream", LENGTH: str(length), _AGAIN: request_id}
    return Call("POST", f"/v2/models/{quote(model, safe='')}/infer", read_inference, content, headers)


def ready(model: str | None) -> Call[bool]:
    """Whether the server has a champion of that model, or any."""
    path = "/v2/health/ready" if model is None else f"/v2/models/{quote(model, safe='')}/ready"
    return Call("GET", path, lambda _: True)


def _rows(rows: list[Any], model: str | None) -> tuple[bytes, dict[str, str]]:
    document: dict[str, Any] = {"instances": rows}
    if model is not None:
        document["model"] = model
    return _json(document), {**_JSON, _AGAIN: new_request_id()}


def _json(document: Any) -> bytes:
    try:
        return orjson.dumps(document, _plain, orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        raise InputError(f"the values cannot be sent as JSON: {error}", fix="Give numbers, texts and arrays.") from None


def _plain(value: Any) -> Any:
    """What orjson does not know: arrays that are not contiguous, of strings or of float16."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {str(value)[:40]!r}")


def _read_one(response: httpx.Response) -> Prediction:
    predictions = read_predictions(response)
    if len(predictions) != 1:
        raise not_understood(response, f"{len(predictions)} predictions for one row")
    return predictions[0]
