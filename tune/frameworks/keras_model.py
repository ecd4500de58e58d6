"""Keras 3 models, on the torch or the TensorFlow backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from evertune.kinds import kind_of
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array, Tensors
from tune.frameworks.framework import AfterEpoch, Lesson, OwnFit
from tune.frameworks.keras_optimizer import keras_optimizer
from tune.frameworks.output import wrong_output
from tune.losses import choose_loss
from tune.optimization import choose_optimization
from tune.seeding import seed_generators
from tune.strategy import Strategy, choose_strategy
from tune.weights import assign, fits, values_of

_PREDICT_ROWS = 256
_FIT_BATCH_SIZE = 32  # that of `Model.fit` where nothing else is said


class KerasModels:
    """See `Framework`."""

    name = "a Keras 3 model"
    measured_untrained = True

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a `keras.Model`."""
        return any(base.__name__ == "Model" and base.__module__.startswith("keras.") for base in type(model).__mro__)

    def check(self, model: Any, task: Task) -> None:
        """Looks at the output's shape, which a subclassed model that was never called does not have."""
        shape = getattr(model, "output_shape", None)
        spec = task.signature.outputs[0]
        if shape is not None and shape != (None, *spec.shape):
            last = kind_of(task.kind).last_layer(int(spec.shape[0] or 0))
            raise wrong_output(task, shape, f"End the model with {last}.")

    def learner(self, hp: Any, model: Any, task: Task, rows: Rows, max_epochs: int) -> KerasLearner:
        """Compiles the model, unless the task did: then its own choices hold."""
        # A task with a `fit` of its own asks for what that needs; a batch size of ours would take the place of its own.
        own = hasattr(task, "fit")
        strategy = Strategy(_batch_size(hp)) if own else choose_strategy(hp, task, rows.labels, max_epochs=max_epochs)
        compile_model(hp, model, task, steps=-(-len(rows) // strategy.batch_size) * max_epochs)
        return KerasLearner(model, strategy)


def compile_model(hp: Any, model: Any, task: Task, *, steps: int) -> None:
    """Compiles a model that is not compiled yet, with optimizer, schedule and loss as hyperparameters."""
    if not model.compiled:
        optimizer = keras_optimizer(choose_optimization(hp, steps=steps))
        model.compile(optimizer=optimizer, loss=choose_loss(hp, task).keras())


def _batch_size(hp: Any) -> int:
    """As far as is known before `fit` has asked for it; only the length of a schedule depends on it."""
    return int(hp.values.get("batch_size", _FIT_BATCH_SIZE))


class KerasLearner:
    """See `Learner`.

    Args:
        model: Compiled.
        strategy: Of its batches.
    """

    most_epochs: int | None = None
    keeps_weights = True

    def __init__(self, model: Any, strategy: Strategy) -> None:
        self.model = model
        self.strategy: Strategy | None = strategy
        self._batch_size = strategy.batch_size

    def train_epoch(self, lesson: Lesson, *, epoch: int, seed: int) -> float:
        """See `Learner.train_epoch`."""
        import keras

        history = self.model.fit(
            model_inputs(lesson.inputs),
            lesson.labels,
            sample_weight=lesson.weights,
            batch_size=self._batch_size,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,  # done: the same at every start
            # Not earlier: the first `fit` of a model draws numbers before it begins.
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: seed_generators(seed))],
            verbose=0,
        )
        return float(history.history["loss"][-1])

    def fit_own(self, fit: OwnFit, splits: Splits, epochs: int, after: AfterEpoch) -> None:
        """Reports through a Keras callback; a "stop" ends the training at that epoch."""
        import keras

        class Reports(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
            """Counts epochs itself: a loop may call `Model.fit` once an epoch."""

            done = 0

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.done += 1
                if not after(self.done):
                    self.model.stop_training = True

        fit(self.model, splits.train, splits.validation, epochs, [Reports()])

    def predict(self, inputs: Tensors) -> Array:
        """See `Learner.predict`."""
        return np.asarray(self.model.predict(model_inputs(inputs), batch_size=_PREDICT_ROWS, verbose=0))

    def exported(self) -> Any:
        """The model: its converter calls it with `training=False`."""
        return self.model

    def weights(self) -> list[Array]:
        """Of all layers, in Keras' order, which is that of any backend."""
        return values_of(self.model.weights)

    def assign(self, values: Sequence[Array]) -> bool:
        """See `Learner.assign`."""
        return assign(self.model.weights, values)

    def state(self) -> dict[str, list[Array]]:
        """Variables of model and optimizer."""
        return {"model": values_of(self.model.variables), "optimizer": values_of(self.model.optimizer.variables)}

    def restore(self, state: dict[str, list[Array]]) -> bool:
        """See `Learner.restore`."""
        optimizer = self.model.optimizer
        optimizer.build(self.model.trainable_variables)
        groups = ((self.model.variables, state.get("model", [])), (optimizer.variables, state.get("optimizer", [])))
        if not all(fits(variables, values) for variables, values in groups):
            return False
        return all(assign(variables, values) for variables, values in groups)


def model_inputs(inputs: Tensors) -> Any:
    """What Keras is called with: the array itself where there is one input, else arrays by name."""
    return next(iter(inputs.values())) if len(inputs) == 1 else inputs
