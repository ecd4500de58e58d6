"""A ledger and a bundle store with real, tiny bundles, and a hand that predicts and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from evertune.bundle import Bundle, BundleStore, ConfidenceMap, Golden, Reference, write_content
from evertune.ids import new_request_id, row_id
from evertune.ledger import Label, Ledger, Prediction
from evertune.runtime.session import Session
from evertune.settings import MonitorSettings
from evertune.tensors import Signature, TensorSpec
from monitoring.evaluator import Evaluator

NOON = 1_800_000_000.0


@dataclass
class ManualClock:
    """A clock that stands until it is moved."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """What a monitored service consists of."""

    ledger: Ledger
    store: BundleStore
    clock: Any
    folder: Path

    def bundle(self, name: str = "fashion", *, temperature: float = 1.0, loss: float = 0.10) -> Bundle:
        """Seals a softmax; another temperature makes another digest."""
        content = self.folder / f"{name}-{temperature}-{loss}"
        signature = Signature((TensorSpec("x", "float32", (2,)),), (TensorSpec("probabilities", "float32", (2,)),))
        model, inputs = _softmax(temperature), {"x": np.array([[0.0, 1.0], [2.0, 0.0]], np.float32)}
        write_content(
            content,
            model_bytes=model,
            model=name,
            kind="classification",
            labels=("no", "yes"),
            signature=signature,
            preprocessing={},
            recipe="fp32",
            calibration=ConfidenceMap((0.5, 1.0), (0.5, 1.0), rows=500),
            reference=Reference(loss, loss, 1000, 1 - loss),
            golden=Golden(inputs, Session(model, signature).run(inputs), 1e-4),
        )
        return self.store.put(content, attestation={})

    def promote(self, bundle: Bundle) -> None:
        """Makes a bundle the champion of its model."""
        self.ledger.registry.promote(bundle.manifest.model, bundle.digest, reason="test", actor="test")

    def predict(
        self, bundle: Bundle, rows: int, *, confidence: float = 0.9, propensity: float = 1.0, mean: float | None = None
    ) -> list[str]:
        """Predicts class 1 for every row, now, in one request each; returns row ids.

        With `mean`, the inputs are kept: normal, the first column around it.
        """
        inputs = np.random.default_rng(rows).normal([mean or 0.0, 0.0], 1.0, (rows, 1, 2)).astype(np.float32)
        batch = [
            Prediction(
                new_request_id(self.clock.now),
                bundle.manifest.model,
                bundle.digest,
                self.clock.now,
                {"probabilities": np.array([[1 - confidence, confidence]], np.float32)},
                np.array([confidence], np.float32),
                label_propensity=propensity,
                inputs=None if mean is None else {"x": inputs[row]},
            )
            for row in range(rows)
        ]
        self.ledger.predictions.add_many(batch)
        return [row_id(prediction.request_id, 0) for prediction in batch]

    def label(self, rows: Sequence[str], *, wrong: float) -> None:
        """Labels rows in order, so that a share of them, evenly spread, was predicted wrongly."""
        self.ledger.labels.add_many(
            [Label(row, 0 if int((i + 1) * wrong) > int(i * wrong) else 1) for i, row in enumerate(rows)]
        )

    def evaluator(self, **settings: float | bool) -> Evaluator:
        """A new one, as after a restart."""
        return Evaluator(self.ledger, self.store, MonitorSettings.model_validate(settings), self.clock)


def _softmax(temperature: float) -> bytes:
    scale = helper.make_tensor("scale", TensorProto.FLOAT, (1,), [1 / temperature])
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["probabilities"], axis=1),
    ]
    shape = ("rows", 2)
    graph = helper.make_graph(
        nodes,
        "softmax",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)],
        [scale],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def world_class() -> type[World]:
    """For worlds of a test's own."""
    return World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty one."""
    clock = ManualClock()
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as ledger:
        yield World(ledger, BundleStore(str(tmp_path / "bundles")), clock, tmp_path)
