"""A task that is named on the command line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evertune.settings import Project


def project_of(reference: str | None, data: str | None) -> Project:
    """The project around the working folder, searching for another task than its own where one is named.

    Where there is no project yet, one begins: an `evertune.toml` of two lines, so that the commands that follow know
    the task, too.

    Args:
        reference: "path/to/file.py:Class", relative to the working folder; None is the project's own.
        data: "module:function", or a function of that file; see `evertune.plain_data`.

    Raises:
        InputError: Data without a task.
        SettingsError: There is no project and no reference.
    """
    from evertune.errors import InputError
    from evertune.settings import load_project

    if reference is None:
        if data is not None:
            raise InputError("--data goes with a task", fix="Write: evertune tune FILE.py:Class --data module:function")
        return load_project()
    if not _has_project():
        _begin(_typed(reference, data, Path.cwd()))
    project = load_project()
    task = _typed(reference, data, project.root)
    own = project.settings.project.model_copy(update={"task": task})
    return type(project)(project.root, project.settings.model_copy(update={"project": own}))


def _typed(reference: str, data: str | None, root: Path) -> str:
    file, _, name = reference.rpartition(":")
    relative = os.path.relpath(Path.cwd() / file, root)
    function = "" if data is None else "@" + data.replace(".py:", ":").replace(":", ".").replace("/", ".")
    return f"{relative}:{name}{function}"


def _has_project() -> bool:
    from evertune.settings import FILE_NAME

    here = Path.cwd()
    return "EVERTUNE_PROJECT" in os.environ or any((each / FILE_NAME).is_file() for each in (here, *here.parents))


def _begin(task: str) -> None:
    from rich.console import Console

    from evertune.files import write_atomic
    from evertune.loading import load_task
    from evertune.settings import FILE_NAME
    from tune.backend import fix_backend

    path = Path.cwd() / FILE_NAME
    backend = _backend(path.parent / task.rpartition(":")[0])
    fix_backend(backend)  # before the task file, which may import Keras
    load_task(task, path.parent)  # a mistake leaves nothing behind
    content = f"[project]\ntask = {json.dumps(task)}\n\n[tune]\nbackend = {json.dumps(backend)}\n"
    write_atomic(path, content.encode())
    Console(stderr=True).print(f"Began a project here: {path}", highlight=False, markup=False)


def _backend(file: Path) -> str:
    """Of Keras: what the file or the environment sets, else TensorFlow where the file imports it, else torch."""
    from evertune.settings import TuneSettings

    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    found = re.search(r"KERAS_BACKEND\W+(tensorflow|torch)\b", text)
    wanted = found[1] if found else os.environ.get("KERAS_BACKEND")
    if wanted is None and re.search(r"^\s*(import|from) tensorflow\b", text, re.MULTILINE):
        wanted = "tensorflow"
    return wanted or TuneSettings().backend
