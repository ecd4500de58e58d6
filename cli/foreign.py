"""The way of a model that was not tuned here into the bundle store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.stages import stage
from evertune.errors import EvertuneError

if TYPE_CHECKING:
    from evertune.bundle import Bundle
    from evertune.settings import ExportSettings, Project
    from evertune.task import Splits, Task


@dataclass(frozen=True)
class Order:
    """What is to be exported.

    Attributes:
        reference: As `export.origins.load_model` takes it.
        task: "file.py:Class", relative to `task_root`.
        task_root: The project's folder, or the working folder.
        weights: Of a torch module.
        unpickle: The file may run code.
        backend: Of Keras.
    """

    reference: str
    task: str
    task_root: Path
    weights: Path | None
    unpickle: bool
    backend: str


def export_foreign(project: Project, settings: ExportSettings, order: Order) -> Bundle:
    """Loads the model, then the same road as a study's winner: convert, verify, parity, precisions, choose, seal.

    Raises:
        EvertuneError: Of task, data, model or export; nothing is stored then.
    """
    from evertune.bundle import BundleStore
    from export import export_for, seal
    from export.origins import load_model
    from tune.backend import fix_backend

    fix_backend(order.backend)  # before the task file, which may import Keras
    task, splits = _data(order)
    with stage("loading the model"):
        loaded = load_model(order.reference, weights=order.weights, unpickle=order.unpickle)
    seed = project.settings.tune.seed
    with stage("exporting, verifying and measuring every precision"):
        result = export_for(loaded.model, task, splits, settings=settings, limits=project.settings.limits, seed=seed)
    with stage("evaluating and sealing"):
        lineage = _lineage(order, splits, dict(loaded.origin))
        return seal(result, task, splits, BundleStore.of(project), lineage=lineage, seed=seed)


def _data(order: Order) -> tuple[Task, Splits]:
    from evertune.checks import check_splits
    from evertune.loading import load_task
    from evertune.task import LabelledWindow
    from evertune.task_errors import explain_in_task

    with stage("reading the task's rows"):
        task = load_task(order.task, order.task_root, needs_build=False)
        try:
            splits = task.data(LabelledWindow())
        except EvertuneError:
            raise
        except Exception as error:  # whatever a user's file does
            file = (order.task_root / order.task.rpartition(":")[0]).resolve()
            raise explain_in_task(error, file, "Task.data failed") from error
        check_splits(task, splits)
    return task, splits


def _lineage(order: Order, splits: Splits, origin: dict[str, Any]) -> dict[str, Any]:
    from evertune.loading import source_digest
    from tune.dataset import digest

    return {
        "origin": origin,
        "backend": order.backend,
        "source_sha256": source_digest(order.task, order.task_root),
        "data_sha256": digest(splits),
    }
