"""From `path/to/file.py:Class` to a task."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import inspect
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from evertune.class_weights import class_weight_problems
from evertune.errors import EvertuneError, TaskError
from evertune.kinds import KINDS
from evertune.task import Task
from evertune.tensors import TensorSpec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def load_task(reference: str, root: Path, *, needs_build: bool = True) -> Task:
    """Imports the file and makes the task.

    The class may be a `Task`, or a `keras_tuner.HyperModel`, which is taken as it is: its `build` and `fit` are used,
    and the one `Task` of the same file says what the data are (its own `build` may be left out).
    The file's folder is put at the end of `sys.path`, so that it can import its neighbours.

    Args:
        reference: "task.py:Digits"; the file is relative to `root`.
        root: Folder of the project.
        needs_build: False where only the task's data and labels are asked for: `build` may then be missing.

    Raises:
        TaskError: No such file or class, the file does not import, or the task breaks its contract. Names the file,
            the line where there is one, and what to do.
    """
    file, separator, name = reference.rpartition(":")
    if not separator or not file or not name:
        raise TaskError(f"task reference {reference!r} is malformed", fix="Write 'file.py:Class'.", reference=reference)
    path = (root / file).resolve()
    if not path.is_file():
        raise TaskError(f"there is no task file {path}", fix="Correct `task` under [project].", file=str(path))
    found = _find(_import(path), name, path)
    task = _make(found if needs_build else _with_build(found), path)
    _check(task, path, found)
    return task


def explain_in_task(error: BaseException, path: Path, doing: str) -> TaskError:
    """A `TaskError` for what the user's own code raised, naming the last line of that file that was running."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    line = frames[-1].lineno if frames else getattr(error, "lineno", None)
    where = f"{path}, line {line}" if line else str(path)
    return TaskError(
        f"{where}: {doing}: {type(error).__name__}: {error}", fix="Correct the task file.", file=str(path), line=line
    )


def source_digest(reference: str, root: Path) -> str:
    """SHA-256 of the task file: the code revision of what was searched."""
    return hashlib.sha256((root / reference.rpartition(":")[0]).read_bytes()).hexdigest()


def _import(path: Path) -> ModuleType:
    # A name of its own: the user's `task.py` must not shadow, or be, a module of another project.
    name = f"evertune_task_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{path} is not a Python file", fix="Name a file that ends in .py.", file=str(path))
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except EvertuneError:  # such as of a table that is not there: it says what to do
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:  # whatever a user's file does at import
        del sys.modules[name]
        raise explain_in_task(error, path, "the task file does not import") from error
    return module


def _find(module: ModuleType, name: str, path: Path) -> type[Any]:
    found = getattr(module, name, None)
    if isinstance(found, type):
        return found
    classes = [key for key, value in vars(module).items() if isinstance(value, type) and value is not Task]
    close = difflib.get_close_matches(name, classes, n=1) or classes[-1:]
    fix = f"Did you mean {close[0]}?" if close else "Define a subclass of evertune.task.Task."
    raise TaskError(f"{path} has no class {name!r}", fix=fix, file=str(path), name=name)


def _make(found: type[Any], path: Path) -> Task:
    if _is_hypermodel(found):
        return _adapt(found, path)
    if not issubclass(found, Task):
        raise _broken(path, found, "is neither a Task nor a HyperModel", "Derive it from evertune.task.Task.")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise _broken(path, found, f"has no {' and no '.join(missing)}", f"Define {', '.join(missing)}.")
    try:
        return found()
    except Exception as error:
        raise explain_in_task(error, path, f"{found.__name__}() failed") from error


def _with_build(found: type[Any]) -> type[Any]:
    """The class itself, or where nothing but `build` is missing, one that can be made and not searched."""
    if getattr(found, "__abstractmethods__", frozenset()) != {"build"}:
        return found
    return type(
        found.__name__, (found,), {"build": _no_build, "__module__": found.__module__, "__doc__": found.__doc__}
    )


def _no_build(self: Any, hp: Any) -> Any:
    raise TaskError(f"{type(self).__name__} has no build", fix="Define build, which the search needs.")


def _is_hypermodel(found: type[Any]) -> bool:
    """Without importing KerasTuner: a class that derives from its `HyperModel` has it loaded."""
    return any(base.__name__ == "HyperModel" and base.__module__.startswith("keras_tuner.") for base in found.__mro__)


def _adapt(hypermodel_type: type[Any], path: Path) -> Task:
    """A task that takes its data from the file's `Task` and its model from the `HyperModel`."""
    tasks = [
        value
        for value in vars(sys.modules[hypermodel_type.__module__]).values()
        if isinstance(value, type) and issubclass(value, Task) and value.__module__ == hypermodel_type.__module__
    ]
    if len(tasks) != 1:
        raise _broken(
            path,
            hypermodel_type,
            f"is a HyperModel, and the file has {len(tasks)} Tasks to say what its data are",
            "Define one Task with name, labels, inputs and load() beside it; it needs no build().",
        )
    try:
        hypermodel = hypermodel_type()
    except Exception as error:
        raise explain_in_task(error, path, f"{hypermodel_type.__name__}() failed") from error
    content: dict[str, Any] = {
        "hypermodel": hypermodel,
        "build": lambda self, hp: hypermodel.build(hp),
        "__doc__": hypermodel_type.__doc__,
        "__module__": hypermodel_type.__module__,
    }
    own = [base for base in hypermodel_type.__mro__ if not base.__module__.startswith("keras_tuner")]
    if any("fit" in vars(base) for base in own):
        content["fit"] = _fit
    return _make(type(hypermodel_type.__name__, (tasks[0],), content), path)


def _fit(self: Any, hp: Any, model: Any, train: Any, validation: Any, epochs: int, callbacks: list[Any]) -> Any:
    """Calls `HyperModel.fit` the way `Tuner.search(x, y, validation_data=...)` would have."""
    inputs, validation_inputs = (
        next(iter(rows.inputs.values())) if len(rows.inputs) == 1 else rows.inputs for rows in (train, validation)
    )
    extra = {} if (train.weights == train.weights[:1]).all() else {"sample_weight": train.weights}
    return self.hypermodel.fit(
        hp,
        model,
        inputs,
        train.labels,
        validation_data=(validation_inputs, validation.labels),
        epochs=epochs,
        callbacks=callbacks,
        verbose=0,
        **extra,
    )


def _check(task: Task, path: Path, found: type[Any]) -> None:
    for problem, fix in _problems(task):
        raise _broken(path, found, problem, fix)


def _problems(task: Task) -> list[tuple[str, str]]:
    problems = []
    for name in ("name", "labels", "inputs"):
        if not hasattr(task, name):
            return [(f"has no attribute {name!r}", f"Set {name} in the class body.")]
    if not isinstance(task.name, str) or not _NAME.fullmatch(task.name):
        problems.append((f"has the name {task.name!r}", "Use letters, digits, '-' and '_', at most 63."))
    if task.kind not in KINDS:
        problems.append((f"has the kind {task.kind!r}", f"Use one of {', '.join(KINDS)}."))
    else:
        problems += KINDS[task.kind].problems(task.labels, task.parameters)
    problems += class_weight_problems(task)
    inputs = task.inputs
    if not isinstance(inputs, tuple) or not inputs or not all(isinstance(spec, TensorSpec) for spec in inputs):
        problems.append((f"has inputs {inputs!r}", "Give a tuple of TensorSpec."))
    elif len({spec.name for spec in inputs}) != len(inputs):
        problems.append(("has two inputs of one name", "Name each input differently."))
    return problems


def _broken(path: Path, found: type[Any], problem: str, fix: str) -> TaskError:
    try:
        line: int | None = inspect.getsourcelines(found)[1]
    except (OSError, TypeError):
        line = None
    where = f"{path}, line {line}" if line else str(path)
    return TaskError(f"{where}: class {found.__name__} {problem}", fix=fix, file=str(path), line=line)
