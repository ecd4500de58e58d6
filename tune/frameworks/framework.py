"""What a framework must offer to be searched, trained, stopped, taken up again and shipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array, Tensors
from tune.strategy import Strategy

OwnFit = Callable[..., Any]
"""A task's own `fit(hp, model, train, validation, epochs, callbacks)`, `hp` bound."""

AfterEpoch = Callable[[int], bool]
"""Given epochs trained; returns whether to go on."""


@dataclass(frozen=True)
class Lesson:
    """The rows of one epoch, in the order in which they are learned.

    Attributes:
        inputs: Named arrays, augmented.
        labels: As in `Rows.labels`.
        weights: Of mean one, shape (rows,); None where all are equal.
    """

    inputs: Tensors
    labels: Array
    weights: Array | None


class Learner(Protocol):
    """One model, and all that its training needs.

    Attributes:
        model: What `Task.build` returned.
        strategy: How batches are made; None where the framework makes none: rows then come as they are.
        most_epochs: Where a training has no more than that; None where it has as many as wanted.
        keeps_weights: Weights are arrays that can be put into a new model. Where they are not, nothing is kept: the
            winner is trained again from its hyperparameters and its seed.
    """

    @property
    def model(self) -> Any: ...  # noqa: D102  # see Attributes

    @property
    def strategy(self) -> Strategy | None: ...  # noqa: D102

    @property
    def most_epochs(self) -> int | None: ...  # noqa: D102

    @property
    def keeps_weights(self) -> bool: ...  # noqa: D102

    def train_epoch(self, lesson: Lesson, *, epoch: int, seed: int) -> float:
        """Trains on every row once, from random numbers that depend on `seed` alone; returns the mean loss.

        Args:
            lesson: Rows, in order.
            epoch: Counted from zero.
            seed: Of dropout and what else draws.
        """

    def fit_own(self, fit: OwnFit, splits: Splits, epochs: int, after: AfterEpoch) -> None:
        """Has the task's own loop train the model, its epochs reported through callbacks."""

    def predict(self, inputs: Tensors) -> Array:
        """The declared output for many rows, float32: probabilities for classification."""

    def exported(self) -> Any:
        """The model as the exporter takes it: on the CPU, not in training mode."""

    def weights(self) -> list[Array]:
        """Copies of what was learned."""

    def assign(self, values: Sequence[Array]) -> bool:
        """Puts weights in; changes nothing and returns False where number or shapes differ."""

    def state(self) -> dict[str, list[Array]] | None:
        """All that training goes on from, weights among it; None where that is no set of arrays."""

    def restore(self, state: dict[str, list[Array]]) -> bool:
        """Inverse of `state`; changes nothing and returns False where it is another model's."""


class Framework(Protocol):
    """A new framework is one file with such a class, and one line in `FRAMEWORKS`.

    Attributes:
        name: For messages.
        measured_untrained: An untrained model can be exported, so size and latency are known before any training.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def measured_untrained(self) -> bool: ...  # noqa: D102

    def accepts(self, model: Any) -> bool:
        """Whether `model` is of this framework. Imports nothing: a model that exists has its framework loaded."""

    def check(self, model: Any, task: Task) -> None:
        """Refuses what cannot answer the task.

        Raises:
            TaskError: Says what is wrong with it and how to correct it.
        """

    def learner(self, hp: Any, model: Any, task: Task, rows: Rows, max_epochs: int) -> Learner:
        """Asks `hp` for the training strategy and prepares a training.

        Args:
            hp: `keras_tuner.HyperParameters`.
            model: Accepted and checked.
            task: Its `fit`, if it has one, replaces our loop: then no batch size is asked for.
            rows: For training: their number decides where schedules end.
            max_epochs: Likewise.
        """
