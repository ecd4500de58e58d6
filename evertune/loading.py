"""From `path/to/file.py:Class` to a task."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from evertune.class_weights import class_weight_problems
from evertune.errors import EvertuneError, TaskError
from evertune.hypermodels import adapt, is_hypermodel, plain_task
from evertune.kinds import KINDS
from evertune.task import Task
from evertune.task_errors import explain_in_task
from evertune.tensors import TensorSpec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def load_task(reference: str, root: Path, *, needs_build: bool = True) -> Task:
    """Imports the file and makes the task.

    The class may be a `Task`, or a `keras_tuner.HyperModel`, which is taken as it is: its `build` and `fit` are used.
    An instance of one, or a function of `hp` that builds a model, will do as well. What the data are says the one
    `Task` of the same file (its own `build` may be left out), or else a function `data`; see `evertune.plain_data`.
    The file's folder is put at the end of `sys.path`, so that it can import its neighbours.

    Args:
        reference: "task.py:Digits"; the file is relative to `root`. "model.py:MyHyperModel@shop.load" names another
            function for the data: of `shop.py` in the same folder, or of a module that can be imported.
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
    name, _, data = name.partition("@")
    module = _import(path)
    found = _find(module, name, path)
    if is_hypermodel(found):
        found = _adapted(found, name, data, module, path)
    task = _make(found if needs_build else _with_build(found), path)
    _check(task, path, found)
    return task


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


def _find(module: ModuleType, name: str, path: Path) -> Any:
    found = getattr(module, name, None)
    if isinstance(found, type) or is_hypermodel(found):
        return found
    classes = [key for key, value in vars(module).items() if isinstance(value, type) and value is not Task]
    close = difflib.get_close_matches(name, classes, n=1) or classes[-1:]
    fix = f"Did you mean {close[0]}?" if close else "Define a subclass of evertune.task.Task."
    raise TaskError(f"{path} has no class {name!r}", fix=fix, file=str(path), name=name)


def _make(found: type[Any], path: Path) -> Task:
    if not isinstance(found, type) or not issubclass(found, Task):
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


def _adapted(found: Any, name: str, data: str, module: ModuleType, path: Path) -> type[Task]:
    """A task that takes its data from the file and its model from `found`."""
    tasks = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Task) and value.__module__ == module.__name__
    ]
    if len(tasks) == 1 and not data:
        return adapt(found, name, tasks[0], path)
    function = _data_function(module, data or "data", path)
    if function is None:
        raise _broken(
            path,
            found,
            f"is a HyperModel, and the file has {len(tasks)} Tasks and no function {data or 'data'!r} to say what its "
            "data are",
            "Define data() beside it, which returns (x, y), or name a function: evertune tune FILE.py:Class --data "
            "module:function.",
        )
    return adapt(found, name, plain_task(name, function), path)


def _data_function(module: ModuleType, name: str, path: Path) -> Any:
    """`name` of the file itself, or "module.name" of a neighbour or of what is installed."""
    other, _, last = name.rpartition(".")
    if other:
        neighbour = path.parent.joinpath(*other.split(".")).with_suffix(".py")
        try:
            module = _import(neighbour) if neighbour.is_file() else importlib.import_module(other)
        except ImportError as error:
            raise explain_in_task(error, path, f"the module {other!r} of the data does not import") from error
    found = getattr(module, last, None)
    return found if callable(found) else None


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


def _broken(path: Path, found: Any, problem: str, fix: str) -> TaskError:
    try:
        line: int | None = inspect.getsourcelines(found)[1]
    except (OSError, TypeError):
        line = None
    where = f"{path}, line {line}" if line else str(path)
    return TaskError(f"{where}: {_called(found)} {problem}", fix=fix, file=str(path), line=line)


def _called(found: Any) -> str:
    name = getattr(found, "__name__", type(found).__name__)
    return f"class {name}" if isinstance(found, type) else name
