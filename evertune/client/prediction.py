"""What the server said to one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from evertune.client.errors import MALFORMED, not_understood
from evertune.kinds import KINDS


@dataclass(frozen=True)
class Prediction:
    """One predicted row.

    Attributes:
        id: Under which its label is sent.
        label: The answer in the form of a label: class name; a tuple of the names that hold; value; first item.
        confidence: Calibrated probability that the label is right, in [0, 1].
        model: Name.
        digest: Of the bundle that answered.
        answer: All that was said of the row: the probability of each label, the scores of the first items.
    """

    id: str
    label: Any
    confidence: float
    model: str
    digest: str
    answer: Mapping[str, Any] = field(default_factory=dict, compare=False)


def read_predictions(response: httpx.Response) -> list[Prediction]:
    """Reads the answer of `/predict`.

    Raises:
        RemoteError: It is none.
    """
    try:
        body = orjson.loads(response.content)
        return [
            Prediction(str(row["id"]), _label(row), float(row["confidence"]), body["model"], body["digest"], row)
            for row in body["predictions"]
        ]
    except MALFORMED as error:
        raise not_understood(response, repr(error)) from error


def _label(row: dict[str, Any]) -> Any:
    """Each kind of task names its answer otherwise, and the answer does not name the kind."""
    for kind in KINDS.values():
        try:
            label = kind.show_answer(row)
        except (KeyError, IndexError):
            continue
        return tuple(label) if isinstance(label, list) else label
    raise KeyError("label")
