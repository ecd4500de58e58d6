"""The rows that two bundles are compared on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evertune.bundle import Bundle
from evertune.errors import EvertuneError, InputError
from evertune.rows import Rows
from evertune.task import Task
from evertune.tensors import Array, Tensors


@dataclass(frozen=True)
class CommonRows:
    """Rows, with labels where they have any.

    Attributes:
        inputs: Named arrays.
        labels: None for golden rows, which carry none.
        where: For people: where they come from.
    """

    inputs: Tensors
    labels: Array | None
    where: str

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


def common_rows(first: Bundle, second: Bundle, task: str | None, most: int) -> CommonRows:
    """Test rows of the task where it is at hand, else the golden rows of both bundles.

    Args:
        first: Comparable with `second`.
        second: Another one.
        task: "file.py:Class" relative to the working folder; None: the project's, if it is that of the bundles.
        most: Test rows at most, evenly spaced.

    Raises:
        InputError: The named task is another model's.
        TaskError: It does not load, or its `data` fails.
    """
    rows, why = _of_task(first, task, most)
    if rows is not None:
        return CommonRows(rows.inputs, rows.labels, f"test rows of the task {first.manifest.model}")
    golden = (first.golden.inputs, second.golden.inputs)
    inputs = {spec.name: _joined([each[spec.name] for each in golden]) for spec in first.manifest.signature.inputs}
    return CommonRows(inputs, None, f"golden rows of both bundles ({why})")


def _joined(parts: list[Array]) -> Array:
    if len({part.shape[1:] for part in parts}) > 1:  # free axes: rows of different lengths do not stack
        return parts[0]
    joined: Array = np.concatenate(parts)
    return joined


def _of_task(bundle: Bundle, task: str | None, most: int) -> tuple[Rows | None, str]:
    from evertune.loading import load_task
    from evertune.settings import load_project

    try:
        project = None if task else load_project()
        reference, root = (task, Path.cwd()) if project is None else (project.settings.project.task, project.root)
        found = load_task(str(reference), root, needs_build=False)
    except EvertuneError as error:
        if task:
            raise
        return None, f"no task at hand: {error.message}"[:200]
    wanted, has = bundle.manifest, (found.name, found.kind, tuple(found.labels), found.signature)
    if has != (wanted.model, wanted.kind, wanted.labels, wanted.signature):
        problem = f"the task {found.name!r} is not that of {wanted.model!r}, or has other labels or inputs"
        if task:
            raise InputError(problem, fix="Name the task that the bundles were made for.")
        return None, problem
    test = _test_rows(found, (root / str(reference).rpartition(":")[0]).resolve())
    return test.take(np.linspace(0, len(test) - 1, min(most, len(test))).astype(np.int64)), ""


def _test_rows(task: Task, file: Path) -> Rows:
    from evertune.task import LabelledWindow
    from evertune.task_errors import explain_in_task

    try:
        return task.data(LabelledWindow()).test
    except EvertuneError:
        raise
    except Exception as error:  # whatever a user's file does
        raise explain_in_task(error, file, "Task.data failed") from error
