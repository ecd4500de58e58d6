"""A task as KerasTuner's `HyperModel`."""

from __future__ import annotations

from typing import Any

import keras_tuner

from evertune.task import Splits, Task
from tune.frameworks import Framework, Learner, framework_of
from tune.strategy import training_scope

_DRY_ROWS = 32


class TaskHyperModel(keras_tuner.HyperModel):  # type: ignore[misc]  # KerasTuner has no types
    """Architecture from the task, training strategy from its framework: one build asks for every hyperparameter.

    So batch size and augmentation are known before the first trial, which in KerasTuner appear in the first `fit`.

    Args:
        task: Builds the model.
        splits: Sizes decide where schedules end.
        max_epochs: Likewise.
    """

    def __init__(self, task: Task, splits: Splits, max_epochs: int) -> None:
        super().__init__(name=task.name)
        self.task = task
        self.splits = splits
        self.max_epochs = max_epochs
        self.own_fit = getattr(task, "fit", None)

    def declare_hyperparameters(self, hp: Any) -> None:
        """What a `keras_tuner.HyperModel` that stands in for the task declares, if anything."""
        own = getattr(self.task, "hypermodel", None)
        if isinstance(own, keras_tuner.HyperModel):
            own.declare_hyperparameters(hp)

    def build(self, hp: Any) -> Any:
        """A model that fits the task, ready to be trained.

        Raises:
            TaskError: It does not.
        """
        return self.learner(hp)[1].model

    def learner(self, hp: Any) -> tuple[Framework, Learner]:
        """The model with what its training needs, and its framework."""
        model = self.task.build(hp)
        framework = framework_of(model, self.task)
        framework.check(model, self.task)
        with training_scope(hp):
            return framework, framework.learner(hp, model, self.task, self.splits.train, self.max_epochs)

    def dry_run(self, hp: Any) -> None:
        """Calls the task's own `fit` with a few rows, so that what it asks `hp` for is known, too."""
        if self.own_fit is not None:
            model = self.build(hp)
            few = slice(0, _DRY_ROWS)
            self.own_fit(hp, model, self.splits.train.take(few), self.splits.validation.take(few), 1, [])
