"""Real server processes of one worker each, and the project that ours serves."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks._bare import BUNDLE
from evertune.bundle import Bundle, BundleStore
from evertune.errors import InputError
from evertune.ledger import Ledger
from evertune.settings import ExportSettings, LimitSettings, Project, load_project
from serve.command import bentoml_command
from serve.spool import CLOSED, OPEN

_START_SECONDS = 90.0


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        name: Of its figures.
        url: Where the requests go.
        worker: The process that answers.
        settled: Whether it has nothing left to do for the requests that it answered.
    """

    name: str
    url: str
    worker: Any
    settled: Callable[[], bool]

    def cpu_seconds(self) -> float:
        """What the worker has used."""
        times = self.worker.cpu_times()
        return float(times.user + times.system)


def make_project(root: Path, source: Path | None, seed: int) -> tuple[Project, Bundle]:
    """A project of its own with default settings: a load of this size has no business in the user's ledger.

    Args:
        root: Where it is made.
        source: Folder of a project whose champion is copied; None: a small model is trained.
        seed: Of the training.
    """
    root.mkdir()
    (root / "evertune.toml").write_text("")
    project = load_project(root)
    store = BundleStore(project.bundle_url)
    bundle = _trained(store, seed) if source is None else _champion(source, store)
    with Ledger.open(project.ledger_url) as ledger:
        ledger.registry.promote(bundle.manifest.model, bundle.digest, reason="benchmark", actor="benchmark")
    return project, bundle


def _champion(folder: Path, store: BundleStore) -> Bundle:
    project = load_project(folder)
    with Ledger.open(project.ledger_url) as ledger:
        champions = [ledger.registry.champion(model) for model in ledger.registry.models()]
    if not champions or champions[0] is None:
        raise InputError(f"{folder} has no champion", fix="Give the folder of a project that has one, or no --data.")
    return store.put(BundleStore(project.bundle_url).get(champions[0].digest).content_path, attestation={})


def _trained(store: BundleStore, seed: int) -> Bundle:
    """A small perceptron on Fashion-MNIST: one epoch is enough, a server does not know what is right."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    from examples.fashion_mnist.task import FashionMnist
    from export import export_model, seal

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((28, 28), dtype="uint8", name="image")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    for units in (256, 128):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy")
    task = FashionMnist()
    splits = task.load()
    model.fit(np.array(splits.train.inputs["image"]), np.array(splits.train.labels), epochs=1, verbose=0)
    settings, limits = ExportSettings(), LimitSettings(latency_seconds=1)
    result = export_model(model, task, splits, settings=settings, limits=limits, seed=seed, quick=True)
    return seal(result, task, splits, store, lineage={"benchmark": "serve"}, seed=seed)


@contextlib.contextmanager
def ours(project: Project, bundle: Bundle, folder: Path) -> Iterator[Server]:
    """`bentoml serve`."""
    port = _free_port()
    command, environment = bentoml_command(project, port=port, workers=1)
    url = f"http://127.0.0.1:{port}/v2/models/{bundle.manifest.model}"

    def ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{url}/ready", trust_env=False).status_code == 200
        return False

    def settled() -> bool:
        files = (path for suffix in (OPEN, CLOSED) for path in project.spool.glob(f"*/*{suffix}"))
        with contextlib.suppress(FileNotFoundError):  # drained while we look
            return not any(path.stat().st_size for path in files)
        return False

    with _process(command, environment, folder / "ours.log", ready) as process:
        children = psutil.Process(process.pid).children()
        (worker,) = (child for child in children if "_bentoml_impl.worker.service" in child.cmdline())
        yield Server("ours", f"{url}/infer", worker, settled)


@contextlib.contextmanager
def bare(name: str, factory: str, bundle: Bundle, folder: Path) -> Iterator[Server]:
    """An application of `benchmarks._bare` under uvicorn."""
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", f"benchmarks._bare:{factory}", "--factory", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--lifespan", "off", "--workers", "1"]
    command += ["--no-access-log", "--log-level", "warning"]

    def ready() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    with _process(command, {**os.environ, BUNDLE: str(bundle.path)}, folder / f"{name}.log", ready) as process:
        yield Server(name, f"http://127.0.0.1:{port}/", psutil.Process(process.pid), lambda: True)


@contextlib.contextmanager
def _process(
    command: list[str], environment: Mapping[str, str], log: Path, ready: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    root = Path(__file__).resolve().parents[1]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd=root, stdout=output, stderr=output)
    try:
        wait(lambda: process.poll() is not None or ready(), _START_SECONDS, f"{log.stem} does not start")
        if process.poll() is not None:
            raise RuntimeError(f"{log.stem} ended: {log.read_text()[-2000:]}")
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait(condition: Callable[[], bool], seconds: float, problem: str) -> None:
    """Waits until a condition holds.

    Raises:
        TimeoutError: It does not.
    """
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{problem} within {seconds:.0f} seconds")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
