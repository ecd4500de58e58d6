"""A small world: a model of two numbers, a champion that was right until the sign of the world changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evertune.bundle import Bundle, BundleStore, ConfidenceMap, Golden, Reference, write_content
from evertune.ids import new_request_id, row_id
from evertune.ledger import Label, Ledger, Prediction, RetuneJob, RetuneRequest
from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import Project, load_project
from evertune.tensors import Array, Signature, TensorSpec
from monitoring.evaluator import Evaluator
from retune.challenger import Challenger, Order
from retune.worker import Worker

MODEL = "sign"
LABELS = ("negative", "positive")
SIGNATURE = Signature((TensorSpec("x", "float32", (2,)),), (TensorSpec("probabilities", "float32", (2,)),))
_SETTINGS = """\
[project]
task = "task.py:Task"

[monitor]
run_length_labels = 1000

[retune]
webhook_token = "secret"
poll_seconds = 0.02
min_train_labels = 60
min_gate_labels = 80
min_report_labels = 40
gate_wait_seconds = 60
report_wait_seconds = 60
cooldown_seconds = 0
lease_seconds = 0.5
"""
_TASK = """\
from evertune import task
from evertune.tensors import TensorSpec

class Task(task.Task):
    name = "sign"
    labels = ("negative", "positive")
    inputs = (TensorSpec("x", "float32", (2,)),)

    def load(self): ...
    def build(self, hp): ...
"""


@dataclass
class MovableClock:
    """The real time, or where the test puts it."""

    now: float = 2_000_000.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


def linear_model(sign: float, tilt: float = 0.0, bias: float = 0.0) -> bytes:
    """An ONNX model whose "positive" is `sign * x[0] + tilt * x[1] + bias > 0`."""
    weights = np.array([[-4.0 * sign, 4.0 * sign], [-4.0 * tilt, 4.0 * tilt]], np.float32)
    biases = np.array([-4.0 * bias, 4.0 * bias], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "weights", "biases"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(biases, "biases")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(onnx.ModelProto.SerializeToString(model))


def draw_inputs(count: int, seed: int) -> Array:
    """Points away from the border, so that right and wrong are certain."""
    random = np.random.default_rng(seed)
    x = random.uniform(0.5, 1.0, (count, 2)) * random.choice([-1.0, 1.0], (count, 2))
    return np.asarray(x, np.float32)


@dataclass
class World:
    """The ledger, the store, and what happens in the world outside.

    Attributes:
        sign: Of the truth now: 1 before the drift, -1 after it.
        at: When the next row is predicted, seconds since the epoch.
    """

    project: Project
    ledger: Ledger
    store: BundleStore
    clock: MovableClock | None
    sign: float = 1.0
    at: float = 1_000_000.0
    seed: int = 0
    ids: list[str] = field(default_factory=list)

    def seal(
        self, sign: float, labels: tuple[str, ...] = LABELS, *, tilt: float = 0.0, bias: float = 0.0, guards: Any = ()
    ) -> Bundle:
        """A real bundle in the store; `guards` are names of slices that its task guarded."""
        model = linear_model(sign, tilt, bias)
        rows = draw_inputs(8, 99)
        outputs = Session(model, SIGNATURE).run({"x": rows})
        folder = self.project.state / f"draft-{sign}-{tilt}-{labels[0]}"
        write_content(
            folder,
            model_bytes=model,
            model=MODEL,
            kind="classification",
            labels=labels,
            signature=SIGNATURE,
            preprocessing={},
            recipe="fp32",
            calibration=ConfidenceMap((0.0, 1.0), (0.0, 1.0), rows=100),
            reference=Reference(loss_mean=0.05, loss_upper_bound=0.1, rows=200, confidence_mean=0.95),
            golden=Golden({"x": rows}, outputs, 1e-4),
        )
        return self.store.put(
            folder, attestation={"lineage": {"hyperparameters": {"sign": sign}}, "guarded_slices": guards}
        )

    @cached_property
    def champion(self) -> Bundle:
        """Right before the drift."""
        return self.seal(1.0)

    @cached_property
    def challenger(self) -> Bundle:
        """Right after it."""
        return self.seal(-1.0)

    def live(self, count: int, bundle: Bundle, *, noise: float = 0.05, keep: bool = True) -> list[str]:
        """Rows that `bundle` predicts, one a second, labelled at once; a share `noise` of the labels is flipped."""
        self.seed += 1
        random = np.random.default_rng(1000 + self.seed)
        inputs = draw_inputs(count, self.seed)
        outputs = bundle.session().run({"x": inputs})["probabilities"]
        truth = (self.sign * inputs[:, 0] > 0).astype(int) ^ (random.uniform(size=count) < noise)
        predictions = [
            Prediction(
                new_request_id(self.at + place),
                MODEL,
                bundle.digest,
                self.at + place,
                {"probabilities": outputs[place : place + 1]},
                outputs[place : place + 1].max(axis=1),
                inputs={"x": inputs[place : place + 1]} if keep else None,
            )
            for place in range(count)
        ]
        self.at += count
        self.ledger.predictions.add_many(predictions)
        ids = [row_id(prediction.request_id, 0) for prediction in predictions]
        self.ledger.labels.add_many([Label(row, int(label)) for row, label in zip(ids, truth, strict=True)])
        self.ids += ids
        return ids

    def evaluate(self) -> None:
        """What `evertune monitor` does every few seconds."""
        Evaluator(self.ledger, self.store, self.project.settings.monitor, self.ledger.clock).step()

    def drift(self) -> None:
        """A promoted champion, a while of good service, then the change, seen by the detector."""
        self.ledger.registry.promote(MODEL, self.champion.digest, reason="first", actor="test")
        self.live(200, self.champion)
        self.sign = -1.0
        self.live(100, self.champion)
        self.evaluate()

    def request(self) -> RetuneRequest:
        """The newest request."""
        return self.ledger.requests.list(MODEL, 1)[0]

    def job(self) -> RetuneJob:
        """The newest job."""
        return self.ledger.jobs.list(MODEL, 1)[0]

    def build(self, order: Order, check: Callable[[], None]) -> Challenger:
        """The search found the bundle that is right after the drift, while the world went on."""
        check()
        trained = self.ledger.jobs.rows(order.job_id, "train")
        assert trained
        self.live(100, self.champion)
        return Challenger(self.challenger.digest, {"trial_id": "0000", "hyperparameters": {"sign": -1}}, 2)

    def worker(self, build: Any = None, stop: threading.Event | None = None) -> Worker:
        """A worker whose search is `build`."""
        return Worker(self.project, self.ledger, self.store, build=build or self.build, stop=stop)

    def serve_after_promotion(self, count: int, bundle: Bundle, *, noise: float = 0.05) -> list[str]:
        """Rows that the new champion predicts, later than its promotion."""
        champion = self.ledger.registry.champion(MODEL)
        assert champion is not None
        self.at = max(self.at, champion.decided_at + 1)
        return self.live(count, bundle, noise=noise)

    def losses(self, bundle: Bundle, rows: Rows) -> Array:
        """What the gate computes, said again."""
        return row_losses("classification", bundle.session().run(rows.inputs), rows.labels)


def open_project(folder: Path, **changes: object) -> Project:
    """A project with short waits; `changes` are settings of `[retune]`."""
    text = _SETTINGS
    for key, value in changes.items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{key} =")]
        text = "\n".join([*lines, f"{key} = {value}", ""])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evertune.toml").write_text(text, encoding="utf-8")
    (folder / "task.py").write_text(_TASK, encoding="utf-8")
    return load_project(folder)


@pytest.fixture
def clock() -> MovableClock:
    """Owned by the test."""
    return MovableClock()


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes the world: `make_world(clock=None, cooldown_seconds=5, ...)`; without a clock, time is real."""
    ledgers: list[Ledger] = []

    def make(clock: MovableClock | None = None, **changes: object) -> World:
        project = open_project(tmp_path / "project", **changes)
        options: dict[str, Any] = {} if clock is None else {"clock": clock}
        ledger = Ledger.open(project.ledger_url, **options)
        ledgers.append(ledger)
        return World(project, ledger, BundleStore(project.bundle_url), clock)

    yield make
    for ledger in ledgers:
        ledger.close()


@pytest.fixture
def world(make_world: Callable[..., World], clock: MovableClock) -> World:
    """A world whose clock stands."""
    return make_world(clock)
