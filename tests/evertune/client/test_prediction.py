"""Answers of every kind of task, as the server writes them."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from evertune.client.prediction import read_predictions
from evertune.kinds import kind_of

VALUES = np.array([[0.2, 0.7, 0.6]], np.float32)


@pytest.mark.parametrize(
    ("kind", "outputs", "labels", "parameters", "label"),
    [
        ("classification", {"probabilities": VALUES}, ("bag", "boot", "shirt"), {}, "boot"),
        ("multilabel", {"probabilities": VALUES}, ("bag", "boot", "shirt"), {"threshold": 0.5}, ("boot", "shirt")),
        ("regression", {"value": VALUES[:, :1] * 10}, ("price",), {}, 2.0),
        ("ranking", {"scores": VALUES}, ("7", "9", "11"), {"top_k": 2}, "9"),
    ],
)
def test_the_label_has_the_form_that_the_kind_takes(
    kind: str, outputs: dict[str, Any], labels: tuple[str, ...], parameters: dict[str, Any], label: Any
) -> None:
    row = kind_of(kind).answer(outputs, labels, parameters)[0]
    document = {"predictions": [{"id": "a:0", "confidence": 0.5, **row}], "model": "m", "digest": "ab" * 32}
    response = httpx.Response(200, content=orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY))

    (prediction,) = read_predictions(response)

    assert prediction.label == label
    assert set(row) <= set(prediction.answer)
    assert hash(prediction) == hash(read_predictions(response)[0])
