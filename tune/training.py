"""Trains one model epoch by epoch and asks after each whether to go on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array, Tensors
from tune.augment import augment
from tune.seeding import seed_generators
from tune.strategy import Strategy
from tune.weights import assign, fits, load_arrays, save_arrays, values_of

_PREDICT_ROWS = 256

Report = Callable[[int, float], bool]
"""Given epochs trained and validation accuracy; returns whether to go on."""


@dataclass(frozen=True)
class Trained:
    """How a training ended. The model holds the weights of its best epoch.

    Attributes:
        epochs: Trained in all.
        accuracy: Of the best epoch, on validation rows.
        stopped: A report was answered with "stop".
    """

    epochs: int
    accuracy: float
    stopped: bool


def train(
    model: Any,
    strategy: Strategy,
    splits: Splits,
    *,
    epochs: int,
    seed: int,
    report: Report,
    checkpoint: Path,
    task: Task | None = None,
) -> Trained:
    """Trains a compiled model, from its checkpoint where there is one.

    Order, augmentation and dropout of an epoch depend on seed and epoch alone, so a training that was killed goes on
    as it would have: at most one epoch is done twice.

    Args:
        model: Compiled Keras model.
        strategy: Batch size and augmentation.
        splits: Train and validation are used.
        epochs: At most.
        seed: Of the trial.
        report: Called after each epoch.
        checkpoint: File for the state after each epoch.
        task: Its kind is what is scored; classification where None.

    Raises:
        FloatingPointError: The loss is not a finite number any more.
    """
    state = _State(model, checkpoint)
    done = state.restore()
    go_on = report(done, state.accuracies[-1]) if done else True  # the answer may have been lost with the process
    while go_on and done < epochs:
        _epoch(model, strategy, splits.train, epoch=done, seed=seed)
        done += 1
        accuracy = validation_accuracy(model, splits.validation, task)
        state.keep(accuracy)
        go_on = report(done, accuracy)
    assign(model.weights, state.best)
    return Trained(done, max(state.accuracies), stopped=not go_on and done < epochs)


def validation_accuracy(model: Any, rows: Rows, task: Task | None = None) -> float:
    """Weighted mean score (1 - bounded loss of the task's kind), computed by the training framework.

    Without a task it is a classification: the share of rows whose most probable class is their label.
    """
    values = model.predict(model_inputs(rows.inputs), batch_size=_PREDICT_ROWS, verbose=0)
    if not np.isfinite(values).all():
        raise FloatingPointError("the model's outputs are not finite numbers")
    kind, name = ("classification", "probabilities") if task is None else (task.kind, task.signature.outputs[0].name)
    losses = row_losses(kind, {name: values}, rows.labels, {} if task is None else task.parameters)
    return float(np.average(1 - losses, weights=rows.weights))


def model_inputs(inputs: Tensors) -> Any:
    """What Keras is called with: the array itself where there is one input, else arrays by name."""
    return next(iter(inputs.values())) if len(inputs) == 1 else inputs


def sample_weights(rows: Rows) -> Array | None:
    """Weights of mean one; None where all are equal, which saves a multiplication a step."""
    return None if np.ptp(rows.weights) == 0 else rows.weights / rows.weights.mean()


def _epoch(model: Any, strategy: Strategy, rows: Rows, *, epoch: int, seed: int) -> None:
    import keras

    random = np.random.default_rng((seed, epoch))
    dropout_seed = int(random.integers(2**31))
    order = random.permutation(len(rows))
    inputs = {name: value[order] for name, value in rows.inputs.items()}
    if strategy.augmentation != "none":
        inputs = {name: augment(value, strategy.augmentation, random) for name, value in inputs.items()}
    weights = sample_weights(rows)
    history = model.fit(
        model_inputs(inputs),
        rows.labels[order],
        sample_weight=None if weights is None else weights[order],
        batch_size=strategy.batch_size,
        initial_epoch=epoch,
        epochs=epoch + 1,
        shuffle=False,  # done: the same at every start
        # Not earlier: the first `fit` of a model draws numbers before it begins.
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: seed_generators(dropout_seed))],
        verbose=0,
    )
    loss = history.history["loss"][-1]
    if not math.isfinite(loss):
        raise FloatingPointError(f"the training loss became {loss} in epoch {epoch + 1}")


class _State:
    """What must survive a kill: variables of model and optimizer, accuracies, and the best epoch's weights."""

    def __init__(self, model: Any, path: Path) -> None:
        self._model = model
        self._path = path
        self.accuracies: list[float] = []
        self.best: list[Array] = []

    def restore(self) -> int:
        """Loads the checkpoint; returns the epochs done."""
        if not self._path.exists():
            return 0
        saved = load_arrays(self._path)
        optimizer = self._model.optimizer
        optimizer.build(self._model.trainable_variables)
        if not (fits(self._model.variables, saved["model"]) and fits(optimizer.variables, saved["optimizer"])):
            return 0  # the task builds another model now
        assign(self._model.variables, saved["model"])
        assign(optimizer.variables, saved["optimizer"])
        self.accuracies, self.best = saved["accuracies"][0].tolist(), saved["best"]
        return len(self.accuracies)

    def keep(self, accuracy: float) -> None:
        """Notes an epoch and writes the checkpoint."""
        if not self.accuracies or accuracy > max(self.accuracies):
            self.best = values_of(self._model.weights)
        self.accuracies.append(accuracy)
        save_arrays(
            self._path,
            model=values_of(self._model.variables),
            optimizer=values_of(self._model.optimizer.variables),
            accuracies=[np.array(self.accuracies)],
            best=self.best,
        )
