"""One precision of a model with its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evertune.statistics import Interval
from evertune.tensors import Array
from export.parity import Parity


@dataclass(frozen=True)
class Candidate:
    """What could ship, or why it could not.

    Attributes:
        recipe: "fp32" or the name of a recipe.
        model_bytes: The ONNX file; empty where the recipe failed.
        external_data: Content of the files with weights that it refers to, by name; mostly none.
        size_ratio: Size divided by FP32's.
        latency_seconds: By batch size: median time of one batch.
        latency_ratio: By batch size: the same divided by FP32's, round by round.
        latency_interval: By batch size: of that ratio's median (95%).
        memory_bytes: By which loading and running it raise the peak of a process; None where not measured.
        load_seconds: From file to session; None where not measured.
        risk: Loss added that the validation rows are expected not to rule out, judged from other rows; see `choose`.
        accuracy: On validation rows: 1 - mean loss.
        losses: Of each of those rows; None where they were not run.
        difference: Interval (95%) of the loss that the recipe adds to FP32's on the same rows; None for FP32.
        parity: Against the source model.
        refused: Why it is not shipped; None where it could be.
        nodes_kept: Nodes that the recipe would quantize and that stayed in FP32, for accuracy's sake.
    """

    recipe: str
    model_bytes: bytes = field(repr=False, default=b"")
    size_ratio: float = 1.0
    latency_seconds: dict[int, float] = field(default_factory=dict)
    latency_ratio: dict[int, float] = field(default_factory=dict)
    latency_interval: dict[int, Interval] = field(default_factory=dict)
    memory_bytes: int | None = None
    load_seconds: float | None = None
    risk: float = 0.0
    accuracy: float = float("nan")
    losses: Array | None = field(repr=False, compare=False, default=None)
    difference: Interval | None = None
    parity: Parity | None = None
    refused: str | None = None
    nodes_kept: int = 0
    external_data: Mapping[str, bytes] = field(repr=False, default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Of the ONNX file and the files that it refers to."""
        return len(self.model_bytes) + sum(map(len, self.external_data.values()))

    def to_json(self) -> dict[str, Any]:
        """The figures as in an attestation; None for what was not measured."""
        return {
            "recipe": self.recipe,
            "size_bytes": self.size_bytes or None,
            "size_ratio": self.size_ratio if self.size_bytes else None,
            "latency_seconds": {str(size): value for size, value in self.latency_seconds.items()},
            "latency_ratio": {str(size): value for size, value in self.latency_ratio.items()},
            "latency_interval": {str(size): value.to_json() for size, value in self.latency_interval.items()},
            "memory_bytes": self.memory_bytes,
            "load_seconds": self.load_seconds,
            "risk": self.risk,
            "accuracy": self.accuracy if self.accuracy == self.accuracy else None,
            "difference": self.difference.to_json() if self.difference else None,
            "parity": self.parity.to_json() if self.parity else None,
            "refused": self.refused,
            "nodes_kept": self.nodes_kept,
        }
