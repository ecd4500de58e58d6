"""A `keras_tuner.HyperModel`, or a function that builds models, in a task's place."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evertune.errors import EvertuneError
from evertune.plain_data import PlainData, describe
from evertune.task import Task
from evertune.task_errors import explain_in_task


def is_hypermodel(found: Any) -> bool:
    """Whether it is a `HyperModel`'s class, an instance of one, or a function.

    KerasTuner is not imported: a class that derives from its `HyperModel` has it loaded.
    """
    kind = found if isinstance(found, type) else type(found)
    return inspect.isfunction(found) or any(
        base.__name__ == "HyperModel" and base.__module__.startswith("keras_tuner.") for base in kind.__mro__
    )


def adapt(found: Any, name: str, base: type[Task], path: Path) -> type[Task]:
    """A task with the data of `base` and the model of `found`.

    Args:
        found: See `is_hypermodel`.
        name: Of the new class.
        base: A task; its own `build` is not used.
        path: Of the file, for errors.

    Raises:
        TaskError: The class cannot be made without arguments.
    """
    content: dict[str, Any] = {"__doc__": found.__doc__, "__module__": found.__module__}
    if inspect.isfunction(found):
        return type(name, (base,), {**content, "build": lambda self, hp: found(hp)})
    try:
        hypermodel = found() if isinstance(found, type) else found
    except Exception as error:
        raise explain_in_task(error, path, f"{name}() failed") from error
    content |= {"hypermodel": hypermodel, "build": lambda self, hp: hypermodel.build(hp)}
    own = [each for each in type(hypermodel).__mro__ if not each.__module__.startswith("keras_tuner")]
    if any("fit" in vars(each) for each in own):
        content["fit"] = _fit
    return type(name, (base,), content)


def plain_task(name: str, data: Callable[[], Any]) -> type[Task]:
    """A task without a model, which declares what `data` returns. `data` is called here, and again by `load`.

    Raises:
        DataError: It returns no such data.
        TaskError: It fails.
    """
    found = _described(data)
    declared: dict[str, Any] = {
        "name": name,
        "kind": found.kind,
        "labels": found.labels,
        "inputs": found.inputs,
        "load": lambda self: _described(data).splits,
    }
    if found.loss_scale is not None:
        declared["loss_scale"] = found.loss_scale
    return type(name, (Task,), declared)


def _described(data: Callable[[], Any]) -> PlainData:
    try:
        return describe(data())
    except EvertuneError:
        raise
    except Exception as error:
        raise explain_in_task(error, Path(inspect.getfile(data)), f"{data.__name__}() failed") from error


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
