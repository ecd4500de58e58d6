"""One record a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evertune.packing import pack, unpack
from evertune.tensors import Tensors


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was answered to one request, and what is needed to learn from it later.

    Attributes:
        request_id: UUIDv7.
        model: Name.
        digest: Of the bundle that answered.
        predicted_at: Seconds since the epoch.
        outputs: Named arrays, first axis rows.
        confidence: Calibrated probability of being right, float32, shape (rows,).
        latency_seconds: From parsed request to answer.
        inputs: Named arrays, or None where they were not kept.
        payload_propensity: Probability, when drawn, that the inputs are kept.
        label_propensity: Probability, when drawn, that a row is sent to be labelled; 1 where all may be.
        label_selection_known: Whether that probability is known, or labels come as they like.
        key_id: Of the API key; empty where none was asked for.
        label_horizon_seconds: How long clicks are waited for before a row's label follows from them; 0: labels come
            whole. Written only: a prediction that is read has 0.
    """

    request_id: str
    model: str
    digest: str
    predicted_at: float
    outputs: Tensors
    confidence: npt.NDArray[np.float32]
    latency_seconds: float = 0.0
    inputs: Tensors | None = None
    payload_propensity: float = 1.0
    label_propensity: float = 1.0
    label_selection_known: bool = True
    key_id: str = ""
    label_horizon_seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Number of rows in the request."""
        return len(self.confidence)

    def to_row(self) -> dict[str, Any]:
        """Column values of the table `predictions`."""
        confidence = np.asarray(self.confidence, "<f4")
        values = confidence.tolist()  # mostly one: quicker than numpy
        return {
            "request_id": self.request_id,
            "model": self.model,
            "digest": self.digest,
            "predicted_at": self.predicted_at,
            "row_count": len(confidence),
            "confidence_sum": sum(values),
            "confidence_variance_sum": sum(value * (1.0 - value) for value in values),
            "latency_seconds": self.latency_seconds,
            "payload_propensity": self.payload_propensity,
            "label_propensity": self.label_propensity,
            "label_selection_known": self.label_selection_known,
            "key_id": self.key_id,
            "confidence": confidence.tobytes(),
            "outputs": pack(self.outputs),
            "inputs": None if self.inputs is None else pack(self.inputs),
        }

    @classmethod
    def from_row(cls, row: Any) -> Prediction:
        """Inverse of `to_row`, for a row of a query; a query without `inputs` gives None there."""
        inputs = getattr(row, "inputs", None)
        return cls(
            row.request_id,
            row.model,
            row.digest,
            row.predicted_at,
            unpack(row.outputs),
            np.frombuffer(row.confidence, "<f4"),
            row.latency_seconds,
            None if inputs is None else unpack(inputs),
            row.payload_propensity,
            row.label_propensity,
            row.label_selection_known,
            row.key_id,
        )
