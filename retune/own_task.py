"""What the worker asks its project's task. The task's code runs in a process of its own: it may import a framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from evertune.declared_name import declared_name
from evertune.errors import TaskError
from evertune.packing import pack, unpack
from evertune.settings import Project
from evertune.tensors import Array, Tensors
from retune.building import BuilderKilledError

_COMMAND = (sys.executable, "-m", "retune.task_child")
_ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_SECONDS = 600  # an import of a framework takes some; a task that hangs must not hold a job for ever
_LOG_TAIL_LINES = 15


def own_model(project: Project) -> str:
    """The model that the project's task makes (`Task.name`): this project can re-tune it, and no other.

    Raises:
        TaskError: There is no such task, or its file does not import.
        BuilderKilledError: Its process was killed, by whomever: it may be asked again.
    """
    name = declared_name(project.settings.project.task, project.root)
    return _ask(project, b"")[0] if name is None else name


def own_slices(project: Project, inputs: Tensors) -> Mapping[str, Array]:
    """Masks of the slices that the project's task guards.

    Args:
        project: Whose task.
        inputs: Of the rows, as the model takes them.

    Returns:
        bool, shape (rows,), by name.

    Raises:
        TaskError: The task does not import, or its `guarded_slices` fails or gives something else.
        BuilderKilledError: Its process was killed, by whomever: it may be asked again.
    """
    return _ask(project, pack(inputs))[1]


def _ask(project: Project, packed: bytes) -> tuple[str, Mapping[str, Array]]:
    reference = project.settings.project.task
    words = {"reference": reference, "root": str(project.root), "working_folder": str(Path.cwd())}
    try:
        done = subprocess.run(
            _COMMAND,
            cwd=_ROOT,
            env={**os.environ, "KERAS_BACKEND": project.settings.tune.backend},
            input=json.dumps(words).encode() + b"\n" + packed,
            capture_output=True,
            start_new_session=True,  # Ctrl-C is for the worker, which gives its job back
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TaskError(
            f"{reference} gave no answer in {_PATIENCE_SECONDS} s", fix="Load data in Task.load, not at import."
        ) from error
    if done.returncode < 0:
        raise BuilderKilledError(f"the process of {reference} was killed by signal {-done.returncode}")
    head, _, masks = done.stdout.partition(b"\n")
    if done.returncode != 0 or not head:
        tail = "\n".join(done.stderr.decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
        raise TaskError(f"{reference} ended its process with {done.returncode}\n{tail}", fix="Correct the task file.")
    answer = json.loads(head)
    if "name" not in answer:
        raise TaskError(answer["error"], fix=answer.get("fix"))
    return str(answer["name"]), unpack(masks)
