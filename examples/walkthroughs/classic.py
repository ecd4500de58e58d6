"""What the walk-throughs share: the network, the search, a table, a plot, and a served model that answers once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from evertune.settings import Project, load_project
from evertune.task import LabelledWindow
from examples.fashion_mnist.data import stream_rows
from tune import Study, search

_PORT = 3055
_START_SECONDS = 120.0


def network(layers: Sequence[int], optimizer: Any) -> Any:
    """Dense layers of those units and Dense(10), on images of 28 by 28 bytes; compiled.

    Args:
        layers: Units of the hidden layers.
        optimizer: Of Keras.
    """
    import keras

    image = keras.Input((28, 28), dtype="uint8", name="image")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    for units in layers:
        x = keras.layers.Dense(units, activation="relu")(x)
    model = keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def walk(file: str, task: str, shown: Sequence[str], *, trials: int = 8, epochs: int = 3) -> None:
    """Searches in a project under `runs/walkthroughs/`, then shows, ships, serves and asks.

    Args:
        file: `__file__` of the walk-through, which holds the task.
        task: Name of the class.
        shown: Hyperparameters, the one on the plot's axis first.
        trials: That count.
        epochs: Of a trial.
    """
    project = _project(Path(file), task)
    settings = project.settings
    study = search(
        settings.project.task,
        project_root=project.root,
        window=LabelledWindow(),
        folder=project.studies / "main",
        settings=settings.tune.model_copy(update={"max_trials": trials, "max_epochs": epochs}),
        limits=settings.limits,
        export=settings.export,
        progress=lambda event: print(type(event).__name__, getattr(event, "trial_id", ""), file=sys.stderr),
    )
    _table(study, shown)
    print(f"Plot: {_plot(study, shown, project.runs / 'plot.png')}")
    _run(project, "export", "--promote")
    print(json.dumps(_ask(project)))


def _project(file: Path, task: str) -> Project:
    root = Path("runs/walkthroughs", file.stem).resolve()
    root.mkdir(parents=True, exist_ok=True)
    limits = "[limits]\nlatency_seconds = 0.01\nsize_bytes = 5_000_000\n"
    (root / "evertune.toml").write_text(f'[project]\ntask = "{file.resolve()}:{task}"\n\n{limits}')
    return load_project(root)


def _table(study: Study, shown: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("trial", *shown, "accuracy", "state")
    for record in sorted(study.trials, key=lambda each: -(each.score or 0)):
        values = [record.hyperparameters.get(name, "") for name in shown]
        cells = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values]
        table.add_row(record.trial_id, *cells, "" if record.score is None else f"{record.score:.4f}", record.state)
    Console().print(table)


def _plot(study: Study, shown: Sequence[str], path: Path) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for state, marker, label in (("completed", "o", "completed"), ("pruned", "x", "pruned, at its last epoch")):
        chosen = [each for each in study.trials if each.state == state and shown[0] in each.hyperparameters]
        heights = [float(each.score or each.rung_metric or 0.0) for each in chosen]
        axes.scatter([each.hyperparameters[shown[0]] for each in chosen], heights, marker=marker, label=label)
    axes.set(xlabel=shown[0].replace("_", " "), ylabel="validation accuracy")
    if isinstance(study.best().trial.hyperparameters[shown[0]], float):
        axes.set_xscale("log")
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def _environment(project: Project) -> dict[str, str]:
    return {**os.environ, "EVERTUNE_PROJECT": str(project.root), "EVERTUNE_SERVE__REQUIRE_KEYS": "false"}


def _run(project: Project, *arguments: str) -> None:
    command = [str(Path(sys.executable).with_name("evertune")), *arguments]
    subprocess.run(command, cwd=project.root, env=_environment(project), check=True)


def _ask(project: Project) -> Any:
    """Starts the server, sends it one image that no split holds, and stops it."""
    command = [str(Path(sys.executable).with_name("evertune")), "serve", "--port", str(_PORT)]
    with (project.root / "serve.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=project.root, env=_environment(project), stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{_PORT}/v2/health/ready", server)
        image = stream_rows().inputs["image"][:1].tolist()
        answer = httpx.post(f"http://127.0.0.1:{_PORT}/predict", json={"inputs": {"image": image}}, timeout=10)
        return answer.raise_for_status().json()
    finally:
        server.terminate()
        server.wait()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit("the server did not become ready; serve.log in the project's folder says why")
