"""How each framework's models are trained, one file a framework. Importing this imports none of them."""

from __future__ import annotations

from typing import Any

from evertune.errors import TaskError
from evertune.task import Task
from tune.frameworks.framework import Framework, Learner, Lesson
from tune.frameworks.keras_model import KerasModels
from tune.frameworks.sklearn_estimator import SklearnEstimators
from tune.frameworks.torch_module import TorchModules

# Keras first: on the torch backend its models are torch modules, too.
FRAMEWORKS: tuple[Framework, ...] = (KerasModels(), TorchModules(), SklearnEstimators())


def framework_of(model: Any, task: Task) -> Framework:
    """The framework of what `task.build` returned.

    Raises:
        TaskError: None knows it.
    """
    for framework in FRAMEWORKS:
        if framework.accepts(model):
            return framework
    known = ", ".join(framework.name for framework in FRAMEWORKS)
    raise TaskError(
        f"{type(task).__name__}.build returned a {type(model).__name__}",
        fix=f"Return one of these: {known}.",
        type=str(type(model)),
    )


__all__ = ["FRAMEWORKS", "Framework", "Learner", "Lesson", "framework_of"]
