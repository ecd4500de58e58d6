"""Regression, ranking and several labels at once down the whole street: tune, export, serve, label, monitor."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.neural_network import MLPClassifier

from evertune.bundle import BundleStore
from evertune.evaluation import Evaluation
from evertune.ids import row_id
from evertune.keys import Keyring
from evertune.ledger import Ledger
from evertune.loading import load_task
from evertune.settings import Project, load_project
from export import export_model, seal
from monitoring.evaluator import Evaluator
from retune.evidence import read_evidence

BIN = Path(sys.executable).parent
DATA = os.environ.get("EVERTUNE_DATA", "")
_SETTINGS = """\
[project]
task = "task.py:Own"
[tune]
max_trials = 1
workers = 1
[limits]
latency_seconds = 1.0
[serve]
port = {port}
"""
_HEAD = """\
import csv, gzip, os
from pathlib import Path
import keras
import numpy as np
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec

DATA = Path(os.environ["EVERTUNE_DATA"])

def cut(rows, slices=None):
    n = len(rows)
    edges = [(0, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1)]
    parts = [rows.take(slice(int(a * n), int(b * n))) for a, b in edges]
    return Splits(*parts, slices={} if slices is None else {k: v[-len(parts[3]):] for k, v in slices.items()})
"""
_REGRESSION = (
    _HEAD
    + """
class Own(Task):
    name = "weather"
    kind = "regression"
    labels = ("temperature",)  # of the day, from dew point, pressure, visibility and wind
    loss_scale = 1.0  # standard deviations
    losses = ("huber", "mae")
    inputs = (TensorSpec("x", "float32", (5,)),)

    def load(self):
        with gzip.open(DATA / "noaa-weather/rainfall_data.csv.gz", "rt") as file:
            table = np.array([list(map(float, row[1:])) for row in list(csv.reader(file))[1:]])[:6000]
        rain = table[:, -1] > 0
        return cut(Rows({"x": table[:, 1:6].astype(np.float32)}, table[:, 0].astype(np.float32)), {"rain": rain})

    def build(self, hp):
        x = keras.Input((5,), name="x")
        hidden = keras.layers.Dense(32, activation="relu")(x)
        return keras.Model(x, keras.layers.Dense(1)(hidden))
"""
)
_RANKING = (
    _HEAD
    + """
def read():
    with gzip.open(DATA / "ml-100k/ml-100k.inter.gz", "rt") as file:
        table = np.array([list(map(float, row)) for row in list(csv.reader(file, delimiter="\\t"))[1:]])
    return table[np.argsort(table[:, 3], kind="stable")].astype(np.int64)

TABLE = read()
ITEMS = np.unique(TABLE[:, 1])

class Own(Task):
    name = "movies"
    kind = "ranking"
    labels = tuple(str(item) for item in ITEMS)
    top_k = 20
    losses = ("softmax", "bpr")
    inputs = (TensorSpec("last", "int64", (1,)),)  # index of the film that the user rated before

    def load(self):
        before, pairs = {}, []
        for user, item, _, _ in TABLE[:15000]:
            index = int(np.searchsorted(ITEMS, item))
            pairs.append((before.get(user, 0), index))
            before[user] = index
        found = np.array(pairs)
        return cut(Rows({"last": found[:, :1]}, found[:, 1]))

    def build(self, hp):
        last = keras.Input((1,), dtype="int64", name="last")
        vector = keras.layers.Flatten()(keras.layers.Embedding(len(ITEMS), 16)(last))
        return keras.Model(last, keras.layers.Dense(len(ITEMS))(vector))
"""
)
_MULTILABEL = """\
import numpy as np
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec

class Own(Task):
    name = "signs"
    kind = "multilabel"
    labels = ("right", "above", "far")
    inputs = (TensorSpec("x", "float32", (2,)),)

    def load(self):
        x = np.random.default_rng(0).uniform(-1, 1, (3000, 2)).astype(np.float32)
        holds = np.stack([x[:, 0] > 0, x[:, 1] > 0, np.abs(x).max(axis=1) > 0.7], axis=1)
        rows = Rows({"x": x}, holds.astype(np.uint8))
        return Splits(*[rows.take(slice(*each)) for each in [(0, 2000), (2000, 2300), (2300, 2600), (2600, 3000)]])

    def build(self, hp): ...
"""
_CASES = {
    "regression": (_REGRESSION, "noaa-weather/rainfall_data.csv.gz", {"x": [[0.1, 0.2, 0.3, 0.4, 0.5]]}, -0.25),
    "ranking": (_RANKING, "ml-100k/ml-100k.inter.gz", {"last": [[49]]}, "50"),
}


@pytest.fixture(params=list(_CASES))
def kind(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if not (DATA and (Path(DATA) / _CASES[name][1]).is_file()):
        pytest.skip(f"EVERTUNE_DATA has no {_CASES[name][1]}")
    return name


@pytest.fixture
def project(kind: str, tmp_path: Path) -> Project:
    """With a champion after one short trial."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (tmp_path / "evertune.toml").write_text(_SETTINGS.format(port=port))
    (tmp_path / "task.py").write_text(_CASES[kind][0])
    (trial,) = evertune(tmp_path, "tune", "--max-epochs", "4", "--json")["trials"]
    assert trial["state"] == "completed", trial
    assert trial["hyperparameters"]["loss"] in ("huber", "softmax")
    return load_project(tmp_path)


@pytest.fixture
def server(project: Project) -> Iterator[httpx.Client]:
    evertune(project.root, "export", "--promote", "--json")
    with serving(project) as client:
        yield client


@contextmanager
def serving(project: Project) -> Iterator[httpx.Client]:
    key = Keyring(project.keys_path).create("test", ["predict", "label"])
    headers = {"Authorization": f"Bearer {key}"}
    with (project.root / "serve.log").open("wb") as log:
        process = subprocess.Popen([BIN / "evertune", "serve"], cwd=project.root, stdout=log, stderr=log)
    with httpx.Client(
        base_url=f"http://127.0.0.1:{project.settings.serve.port}", headers=headers, timeout=30
    ) as client:
        try:
            _wait_until_ready(client, process, project.root / "serve.log")
            yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def test_the_kind_is_tuned_exported_served_labelled_and_monitored(
    kind: str, project: Project, server: httpx.Client
) -> None:
    _, _, inputs, label = _CASES[kind]
    predicted = server.post("/predict", json={"inputs": inputs}).raise_for_status().json()
    (answer,) = predicted["predictions"]
    assert 0 <= answer["confidence"] <= 1
    if kind == "regression":
        assert isinstance(answer["value"], float)
        refused = server.post("/labels", json={"labels": [{"id": answer["id"], "label": "warm"}]})
    else:
        assert len(answer["items"]) == 20
        scores = [item["score"] for item in answer["items"]]
        assert scores == sorted(scores, reverse=True)
        refused = server.post("/labels", json={"labels": [{"id": answer["id"], "label": "no film"}]})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")
    receipt = server.post("/labels", json={"labels": [{"id": answer["id"], "label": label}]}).raise_for_status().json()
    assert receipt == {"accepted": 1, "unchanged": 0, "corrected": 0}

    store = BundleStore(project.bundle_url)
    bundle = store.get(predicted["digest"])
    with Ledger.open(project.ledger_url) as ledger:
        Evaluator(ledger, store, project.settings.monitor).step()
        (row,) = ledger.losses.since(bundle.manifest.model, bundle.digest)
    assert row.loss == pytest.approx(_loss(kind, answer, label), abs=1e-6)

    evaluation = Evaluation.from_json((bundle.attestation() or {})["evaluation"])
    assert evaluation.score.value == pytest.approx(1 - bundle.reference.loss_mean)
    assert bundle.reference.loss_mean < bundle.reference.loss_upper_bound < 1
    if kind == "regression":
        assert evaluation.metrics["r2"].interval.lower > 0.5  # something was learned
        assert 0 < evaluation.slices["rain"].rows < evaluation.rows
    else:
        assert evaluation.metrics["recall_at_20"].interval.lower > 20 / 1682  # better than chance
    assert "score (1 - mean loss)" in evertune(project.root, "export")


def test_several_labels_at_once_are_exported_served_labelled_and_become_evidence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (tmp_path / "evertune.toml").write_text(_SETTINGS.format(port=port))
    (tmp_path / "task.py").write_text(_MULTILABEL)
    project, store = load_project(tmp_path), BundleStore(str(tmp_path / ".evertune" / "bundles"))
    task = load_task(project.settings.project.task, project.root)
    splits, settings = task.load(), project.settings
    model = MLPClassifier(32, tol=0.003, n_iter_no_change=3, random_state=0).fit(
        splits.train.inputs["x"], splits.train.labels
    )
    result = export_model(model, task, splits, settings=settings.export, limits=settings.limits, seed=0, quick=True)
    bundle = seal(result, task, splits, store, lineage={})
    rows = splits.test.take(slice(0, 60))
    names = [[name for name, holds in zip(task.labels, row, strict=True) if holds] for row in rows.labels]
    with Ledger.open(project.ledger_url) as ledger:
        champion = ledger.registry.promote("signs", bundle.digest, reason="first", actor="test")
        with serving(project) as server:
            predicted = server.post("/predict", json={"inputs": {"x": rows.inputs["x"].tolist()}}).raise_for_status()
            answers = predicted.json()["predictions"]
            for answer in answers:
                likely = [name for name, value in answer["probabilities"].items() if value >= 0.5]
                assert answer["labels"] == likely
            refused = server.post("/labels", json={"labels": [{"id": answers[0]["id"], "label": ["right", "low"]}]})
            assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")
            labels = [{"id": answer["id"], "label": label} for answer, label in zip(answers, names, strict=True)]
            receipt = server.post("/labels", json={"labels": labels}).raise_for_status().json()
            assert receipt == {"accepted": 60, "unchanged": 0, "corrected": 0}
        Evaluator(ledger, store, project.settings.monitor).step()
        losses = {row_id(row.request_id, row.row): row.loss for row in ledger.losses.since("signs", bundle.digest)}
        evidence = read_evidence(ledger, champion)
    assert evidence is not None
    assert (evidence.labels, evidence.alarmed) == (60, False)
    for answer, label in zip(answers, names, strict=True):
        shown, true = {*answer["labels"]}, {*label}
        jaccard = 1 - len(shown & true) / len(shown | true) if shown | true else 0.0
        assert losses[answer["id"]] == pytest.approx(jaccard)
    assert sum(losses.values()) / 60 < 0.3  # something was learned


def _loss(kind: str, answer: dict[str, Any], label: Any) -> float:
    """The formula once more, from what the client saw."""
    if kind == "regression":
        return min(1.0, abs(float(answer["value"]) - float(label)))
    import math

    shown = [item["item"] for item in answer["items"]]
    return 1 - 1 / math.log2(2 + shown.index(label)) if label in shown else 1.0


def evertune(folder: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [BIN / "evertune", *arguments], cwd=folder, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if client.get("/v2/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"not ready in a minute:\n{log.read_text()}")
