"""The whole job with the real search: killed half-way, gone on with, promoted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from evertune.bundle import Bundle, BundleStore
from evertune.ids import new_request_id, row_id
from evertune.ledger import Label, Ledger, Prediction
from evertune.settings import Project, load_project
from examples.fashion_mnist.data import stream_rows
from monitoring.evaluator import Evaluator

MODEL = "small"
_PATIENCE_SECONDS = 120.0
_SETTINGS = """\
[project]
task = "task.py:Small"
[tune]
max_trials = 1
max_epochs = 3
workers = 1
[limits]
latency_seconds = 1.0
[monitor]
run_length_labels = 1000
[retune]
port = 0
poll_seconds = 0.1
min_train_labels = 500
min_gate_labels = 200
min_report_labels = 100
cooldown_seconds = 0
max_trials = 2
max_epochs = 3
lease_seconds = 1
"""
_TASK = """\
import keras
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples.fashion_mnist.data import training_rows
from examples.fashion_mnist.task import FashionMnist


class Small(Task):
    name = "small"
    labels = FashionMnist.labels
    inputs = (TensorSpec("image", "uint8", (28, 28)),)

    def load(self):
        rows = training_rows()
        edges = [(0, 2000), (2000, 2300), (2300, 2500), (2500, 3000)]
        return Splits(*[rows.take(slice(*each)) for each in edges])

    def build(self, hp):
        image = keras.Input((28, 28), dtype="uint8", name="image")
        x = keras.layers.Rescaling(1 / 255)(image)
        x = keras.layers.Flatten()(x)
        x = keras.layers.Dense(hp.Int("units", 32, 64, step=32), activation="relu")(x)
        return keras.Model(image, keras.layers.Dense(10, activation="softmax", name="probabilities")(x))
"""
_CHAMPION = """
import pathlib, sys
from evertune.settings import load_project
from evertune.task import LabelledWindow
from tune import search, ship
project = load_project(pathlib.Path(sys.argv[1]))
settings = project.settings
study = search(settings.project.task, project_root=project.root, window=LabelledWindow(),
    folder=project.studies / "main", settings=settings.tune, limits=settings.limits, export=settings.export)
print(ship(study, project).digest)
"""
_RETUNE = (
    "import pathlib, sys; from evertune.settings import load_project; from retune.run import run; "
    "run(load_project(pathlib.Path(sys.argv[1])))"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("small")
    (folder / "evertune.toml").write_text(_SETTINGS)
    (folder / "task.py").write_text(_TASK)
    return load_project(folder)


@pytest.fixture(scope="module")
def champion(project: Project) -> Bundle:
    command = [sys.executable, "-c", _CHAMPION, str(project.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return BundleStore(project.bundle_url).get(done.stdout.split()[-1])


class Stream:
    """Live traffic: rows of the shipped stream, each labelled at once; the camera's contrast may be inverted."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._place = 0
        self.inverted = False

    def send(self, bundle: Bundle, count: int, after: float = 0.0) -> None:
        rows = stream_rows().take(slice(self._place, self._place + count))
        images = 255 - rows.inputs["image"] if self.inverted else rows.inputs["image"].copy()
        outputs = bundle.session().run({"image": images})["probabilities"]
        times = max(1_000_000.0 + self._place, after) + np.arange(1, count + 1) / 1000
        predictions = [
            Prediction(
                new_request_id(at),
                MODEL,
                bundle.digest,
                float(at),
                {"probabilities": outputs[place : place + 1]},
                outputs[place : place + 1].max(axis=1),
                inputs={"image": images[place : place + 1]},
            )
            for place, at in enumerate(times)
        ]
        self._ledger.predictions.add_many(predictions)
        pairs = zip(predictions, rows.labels, strict=True)
        self._ledger.labels.add_many([Label(row_id(each.request_id, 0), int(label)) for each, label in pairs])
        self._place += count


@pytest.fixture
def family() -> Iterator[list[psutil.Process]]:
    """Processes that must be gone in the end."""
    found: list[psutil.Process] = []
    yield found
    for process in found:
        if process.is_running():
            process.kill()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def start(project: Project, family: list[psutil.Process]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", _RETUNE, str(project.root)])
    family.append(psutil.Process(process.pid))
    return process


def gone(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def journal(project: Project) -> str:
    """Of the job's study, as far as it is written."""
    path = next(project.studies.glob("retune-*/journal.jsonl"), None)
    return "" if path is None else path.read_text()


def test_a_drift_is_answered_though_the_worker_is_killed(
    project: Project, champion: Bundle, family: list[psutil.Process]
) -> None:
    with Ledger.open(project.ledger_url) as ledger:
        stream, store = Stream(ledger), BundleStore(project.bundle_url)
        ledger.registry.promote(MODEL, champion.digest, reason="first", actor="test")
        stream.send(champion, 300)
        stream.inverted = True
        stream.send(champion, 700)
        Evaluator(ledger, store, project.settings.monitor).step()

        first = start(project, family)
        wait_for(lambda: '"event":"ended"' in journal(project))
        family += psutil.Process(first.pid).children(recursive=True)
        assert len(family) >= 2
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        wait_for(lambda: all(gone(process) for process in family))

        second = start(project, family)
        stream.send(champion, 300)  # newer rows, for the gate
        wait_for(lambda: ledger.jobs.list(MODEL)[0].phase == "report" or second.poll() is not None)
        (job,) = ledger.jobs.list(MODEL)
        challenger = store.get(job.detail["challenger_digest"])
        stream.send(challenger, 200, after=job.detail["promoted_at"] + 1)
        wait_for(lambda: ledger.jobs.get(job.id).status != "running")
        second.send_signal(signal.SIGTERM)
        assert second.wait(_PATIENCE_SECONDS) == 0

        (job,) = ledger.jobs.list(MODEL)
        assert (job.status, job.attempt) == ("promoted", 2), job.detail
        assert job.detail["trials"] == 2
        text = journal(project)
        assert text.count('"ended"') == 2  # no trial lost, none twice
        report = job.detail["report"]
        assert report["after"]["interval"]["lower"] > report["during"]["interval"]["upper"]
        lineage = (challenger.attestation() or {})["lineage"]
        assert lineage["retune_job"] == job.id
        assert lineage["champion_digest"] == champion.digest
        assert challenger.training_path is not None
        assert '"warm start"' in text


def test_the_next_search_begins_with_the_champion(project: Project, champion: Bundle) -> None:
    from retune.making import warm_start

    start_with = warm_start(champion, project)
    assert start_with.hyperparameters[0]["units"] in (32, 64)
    assert start_with.weights is not None
    assert start_with.weights.name == "weights.npz"
    assert start_with.source == f"bundle {champion.digest}"
    assert [each.origin for each in start_with.queue()] == ["fine-tune", "warm start"]
    assert Path(start_with.weights).is_relative_to(project.root)
