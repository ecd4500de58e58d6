"""A regression task through a whole job: evidence, search, gate with a guarded slice, promotion, report."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from evertune.bundle import Bundle, BundleStore
from evertune.evaluation import Evaluation
from evertune.ids import new_request_id, row_id
from evertune.ledger import Label, Ledger, Prediction
from evertune.loading import load_task
from evertune.settings import Project, load_project
from export import export_model, seal
from monitoring.evaluator import Evaluator
from retune.decision import Decider
from retune.worker import Worker

MODEL = "warmth"
_SETTINGS = """\
[tune]
max_trials = 1
workers = 1
[limits]
latency_seconds = 1.0
[monitor]
run_length_labels = 1000
[retune]
poll_seconds = 0.05
min_train_labels = 100
min_gate_labels = 100
min_slice_labels = 60
min_report_labels = 60
max_trials = 1
lease_seconds = 5
"""
_TASK = """\
import numpy as np
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec


class Task(Task):
    name = "warmth"
    kind = "regression"
    labels = ("degrees",)
    loss_scale = 1.0
    inputs = (TensorSpec("x", "float32", (3,)),)  # reading, whether it is of the new sensor, humidity

    def load(self):
        random = np.random.default_rng(0)
        x = random.uniform(-1, 1, (1000, 3)).astype(np.float32) * np.array([1, 0, 1], np.float32)
        rows = Rows({"x": x}, (x[:, 0] + random.normal(0, 0.1, 1000)).astype(np.float32))
        return Splits(*[rows.take(slice(*each)) for each in [(0, 600), (600, 700), (700, 800), (800, 1000)]])

    def guarded_slices(self, inputs):
        return {"humid": inputs["x"][:, 2] > 0}

    def build(self, hp):
        from sklearn.linear_model import Ridge
        return Ridge(hp.Float("alpha", 0.01, 0.1))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "evertune.toml").write_text(_SETTINGS)
    (tmp_path / "task.py").write_text(_TASK)
    return load_project(tmp_path)


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with Ledger.open(project.ledger_url) as opened:
        yield opened


def first_champion(project: Project, store: BundleStore) -> Bundle:
    """Fitted and sealed by hand."""
    task = load_task(project.settings.project.task, project.root)
    splits, settings = task.load(), project.settings
    model = Ridge(0.05).fit(splits.train.inputs["x"], splits.train.labels)
    result = export_model(model, task, splits, settings=settings.export, limits=settings.limits, seed=0, quick=True)
    return seal(result, task, splits, store, lineage={})


class Sensor:
    """Measured rows, predicted and labelled at once; the new sensor reads four degrees more."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._at = 1_000_000.0
        self._random = np.random.default_rng(1)
        self.is_new = False

    def send(self, bundle: Bundle, count: int, after: float = 0.0) -> None:
        truth, humidity = self._random.uniform(-1, 1, (2, count))
        x = np.stack([truth + 4 * self.is_new, np.full(count, self.is_new), humidity], axis=1).astype(np.float32)
        values = bundle.session().run({"x": x})["value"]
        times = max(self._at, after) + np.arange(1, count + 1)
        predictions = [
            Prediction(
                new_request_id(float(at)),
                MODEL,
                bundle.digest,
                float(at),
                {"value": values[place : place + 1]},
                np.array([0.9]),
                inputs={"x": x[place : place + 1]},
            )
            for place, at in enumerate(times)
        ]
        self._ledger.predictions.add_many(predictions)
        labels = truth + self._random.normal(0, 0.1, count)
        pairs = zip(predictions, labels, strict=True)
        self._ledger.labels.add_many([Label(row_id(each.request_id, 0), float(label)) for each, label in pairs])
        self._at = float(times[-1])


def test_a_regression_is_retuned_from_evidence_to_report(project: Project, ledger: Ledger) -> None:
    store = BundleStore(project.bundle_url)
    champion, sensor, done = first_champion(project, store), Sensor(ledger), threading.Event()
    ledger.registry.promote(MODEL, champion.digest, reason="first", actor="test")
    sensor.send(champion, 200)
    sensor.is_new = True
    sensor.send(champion, 200)
    Evaluator(ledger, store, project.settings.monitor).step()
    (request,) = Decider(ledger, project.settings.retune).step()
    assert (request.trigger, request.status) == ("drift", "accepted")

    def outside() -> None:
        """Rows go on coming: for the gate, then from the new champion for the report."""
        while not done.wait(0.02) and ledger.jobs.list(MODEL)[0].phase != "gate":
            pass
        sensor.send(champion, 200)
        while not done.wait(0.02) and ledger.jobs.list(MODEL)[0].phase != "report":
            pass
        detail = ledger.jobs.list(MODEL)[0].detail
        if "promoted_at" in detail:
            sensor.send(store.get(detail["challenger_digest"]), 100, after=detail["promoted_at"])

    thread = threading.Thread(target=outside)
    thread.start()
    try:
        job = Worker(project, ledger, store).run_once()  # with the real search, in a process of its own
    finally:
        done.set()
        thread.join()
    assert job is not None
    assert (job.status, job.detail["reason"]) == ("promoted", "promoted and reported"), job.detail
    gate, report = job.detail["gate"], job.detail["report"]
    assert 0.9 < gate["champion_loss"] <= 1  # the bounded loss: no error counts for more than one scale
    assert gate["challenger_loss"] < 0.2
    assert gate["slices"]["humid"]["outcome"] == "better"
    assert 60 <= gate["slices"]["humid"]["rows"] < gate["rows"]
    assert report["before"]["ratio"] > 0.8 > 0.3 > report["during"]["ratio"]
    assert report["recovered_ratio"] > 0.8

    attestation = store.get(job.detail["challenger_digest"]).attestation() or {}
    evaluation = Evaluation.from_json(attestation["evaluation"])  # on old rows mixed with live ones
    assert attestation["lineage"]["window_rows"] >= 100
    assert 0 < evaluation.slices["humid"].rows < evaluation.rows
