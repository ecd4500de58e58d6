"""What the server said to one row."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import orjson

from evertune.client.errors import MALFORMED, not_understood


@dataclass(frozen=True)
class Prediction:
    """One predicted row.

    Attributes:
        id: Under which its label is sent.
        label: Class name.
        confidence: Calibrated probability that the label is right, in [0, 1].
        model: Name.
        digest: Of the bundle that answered.
    """

    id: str
    label: str
    confidence: float
    model: str
    digest: str


def read_predictions(response: httpx.Response) -> list[Prediction]:
    """Reads the answer of `/predict`.

    Raises:
        RemoteError: It is none.
    """
    try:
        body = orjson.loads(response.content)
        return [
            Prediction(str(row["id"]), row["label"], float(row["confidence"]), body["model"], body["digest"])
            for row in body["predictions"]
        ]
    except MALFORMED as error:
        raise not_understood(response, repr(error)) from error
