"""One record of the spool: what one batch answered."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from evertune.ledger import Prediction
from evertune.packing import pack, unpack
from evertune.tensors import Array, Tensors

_HEAD = struct.Struct("<I")  # length of the JSON head inside the payload


@dataclass(frozen=True)
class BatchRecord:
    """What one batch answered; lists have one entry a request, arrays one row a row.

    Attributes:
        model: Its name.
        digest: Of the bundle.
        predicted_at: Seconds since the epoch.
        request_ids: UUIDv7.
        rows: Of each request.
        kept: Whether the inputs of each request are kept.
        payload_propensity: With which probability they were.
        key_ids: API keys.
        latency_seconds: From arrival to outcome.
        outputs: All rows of the batch.
        inputs: The rows of the requests whose inputs are kept.
        confidence: float32, all rows.
        label_horizon_seconds: As in `Prediction`.
    """

    model: str
    digest: str
    predicted_at: float
    request_ids: list[str]
    rows: list[int]
    kept: list[bool]
    payload_propensity: float
    key_ids: list[str]
    latency_seconds: list[float]
    outputs: Tensors
    inputs: Tensors
    confidence: Array
    label_horizon_seconds: float = 0.0

    def to_bytes(self) -> bytes:
        """The record as a payload."""
        head: dict[str, Any] = {
            "model": self.model,
            "digest": self.digest,
            "predicted_at": self.predicted_at,
            "request_ids": self.request_ids,
            "rows": self.rows,
            "kept": self.kept,
            "payload_propensity": self.payload_propensity,
            "key_ids": self.key_ids,
            "latency_seconds": self.latency_seconds,
            "label_horizon_seconds": self.label_horizon_seconds,
        }
        tensors = {f"o/{name}": value for name, value in self.outputs.items()}
        tensors |= {f"i/{name}": value for name, value in self.inputs.items()}
        tensors["confidence"] = self.confidence
        text = orjson.dumps(head)
        return b"".join((_HEAD.pack(len(text)), text, pack(tensors)))

    @classmethod
    def from_bytes(cls, payload: bytes) -> BatchRecord:
        """Inverse of `to_bytes`."""
        (length,) = _HEAD.unpack_from(payload)
        head = orjson.loads(payload[_HEAD.size : _HEAD.size + length])
        tensors = unpack(payload[_HEAD.size + length :])
        return cls(
            **head,
            outputs={name[2:]: value for name, value in tensors.items() if name.startswith("o/")},
            inputs={name[2:]: value for name, value in tensors.items() if name.startswith("i/")},
            confidence=tensors["confidence"],
        )

    def predictions(self) -> Iterator[Prediction]:
        """One ledger row a request."""
        end = kept_end = 0
        for index, request_id in enumerate(self.request_ids):
            start, kept_start, kept = end, kept_end, self.kept[index]
            end += self.rows[index]
            kept_end += self.rows[index] * kept
            yield Prediction(
                request_id=request_id,
                model=self.model,
                digest=self.digest,
                predicted_at=self.predicted_at,
                outputs={name: value[start:end] for name, value in self.outputs.items()},
                confidence=self.confidence[start:end],
                latency_seconds=self.latency_seconds[index],
                inputs={name: value[kept_start:kept_end] for name, value in self.inputs.items()} if kept else None,
                payload_propensity=self.payload_propensity,
                label_propensity=1.0,
                label_selection_known=False,  # who gets labelled is the labeller's choice; the server cannot know
                key_id=self.key_ids[index],
                label_horizon_seconds=self.label_horizon_seconds,
            )
