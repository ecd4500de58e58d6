"""A task as KerasTuner's `HyperModel`."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner

from evertune.errors import TaskError
from evertune.kinds import kind_of
from evertune.task import Splits, Task
from tune.strategy import Strategy, choose_strategy, compile_model

_DRY_ROWS = 32
_FIT_BATCH_SIZE = 32  # that of `Model.fit` where nothing else is said


class TaskHyperModel(keras_tuner.HyperModel):  # type: ignore[misc]  # KerasTuner has no types
    """Architecture from the task, training strategy from `tune.strategy`: one build asks for every hyperparameter.

    So batch size and augmentation are known before the first trial, which in KerasTuner appear in the first `fit`.

    Args:
        task: Builds the model.
        splits: Sizes decide where schedules end.
        max_epochs: Likewise.
    """

    def __init__(self, task: Task, splits: Splits, max_epochs: int) -> None:
        super().__init__(name=task.name)
        self.task = task
        self._splits = splits
        self._max_epochs = max_epochs
        self._fit = getattr(task, "fit", None)

    def declare_hyperparameters(self, hp: Any) -> None:
        """What a `keras_tuner.HyperModel` that stands in for the task declares, if anything."""
        own = getattr(self.task, "hypermodel", None)
        if isinstance(own, keras_tuner.HyperModel):
            own.declare_hyperparameters(hp)

    def build(self, hp: Any) -> Any:
        """A compiled model that fits the task.

        Raises:
            TaskError: It does not.
        """
        return self.build_with_strategy(hp)[0]

    def build_with_strategy(self, hp: Any) -> tuple[Any, Strategy]:
        """The compiled model, and how to train it."""
        model = self.task.build(hp)
        check_model(model, self.task)
        # A task with a `fit` of its own asks for what that needs; a batch size of ours would take the place of its own.
        strategy = choose_strategy(hp, self.task) if self._fit is None else Strategy(_batch_size(hp), "none")
        steps = -(-len(self._splits.train) // strategy.batch_size) * self._max_epochs
        compile_model(hp, model, self.task, steps=steps)
        return model, strategy

    def dry_run(self, hp: Any) -> None:
        """Calls the task's own `fit` with a few rows, so that what it asks `hp` for is known, too."""
        if self._fit is not None:
            model, _ = self.build_with_strategy(hp)
            few = slice(0, _DRY_ROWS)
            self._fit(hp, model, self._splits.train.take(few), self._splits.validation.take(few), 1, [])


def _batch_size(hp: Any) -> int:
    """As far as is known before `fit` has asked for it; only the length of a schedule depends on it."""
    return int(hp.values.get("batch_size", _FIT_BATCH_SIZE))


def check_model(model: Any, task: Task) -> None:
    """Refuses what `task.build` returned where it cannot answer the task.

    Raises:
        TaskError: Not a Keras model, or its output is not that of the task's kind.
    """
    where = f"{type(task).__name__}.build"
    if not isinstance(model, keras.Model):
        raise TaskError(
            f"{where} returned a {type(model).__name__}", fix="Return a keras.Model.", type=str(type(model))
        )
    shape = getattr(model, "output_shape", None)  # a subclassed model that was never called has none
    width = int(task.signature.outputs[0].shape[0] or 0)
    if shape is not None and shape != (None, width):
        what = {"classification": "classes", "regression": "value", "ranking": "items"}.get(task.kind, "labels")
        raise TaskError(
            f"{where} returned a model with output {shape}, but the task has {width} {what}",
            fix=f"End the model with {kind_of(task.kind).last_layer(width)}.",
            shape=str(shape),
        )
