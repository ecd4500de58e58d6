"""What a user writes: a task.

A task is described once and used everywhere: by the search (`build`, `data`), the exporter (`inputs`, `labels`), the
server (class names) and every re-tune (`data` with the labelled rows of live traffic).
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

from evertune.mixing import mix
from evertune.rows import Rows
from evertune.tensors import Signature, TensorSpec


@dataclass(frozen=True)
class Splits:
    """The task's rows by purpose. No row may be in two of them.

    Attributes:
        train: Fits weights.
        validation: Steers pruning and selects between trials and precisions.
        calibration: Fits quantization ranges and the confidence map.
        test: Never seen by the search: evaluation and the reference that monitoring compares with.
    """

    train: Rows
    validation: Rows
    calibration: Rows
    test: Rows


@dataclass(frozen=True)
class LabelledWindow:
    """Labelled rows of live traffic in time order; empty for the first search.

    Attributes:
        rows: None when empty. `rows.weights` are inverse inclusion probabilities of the labels.
    """

    rows: Rows | None = None

    def __len__(self) -> int:
        return 0 if self.rows is None else len(self.rows)


class Task(abc.ABC):
    """A prediction task. Subclass it in a file of your own.

    Attributes:
        name: Of the model in URLs, metrics and the registry: letters, digits, `-` and `_`.
        kind: "classification" for now.
        labels: Class names; the index in this tuple is the class index in `Rows.labels`.
        inputs: The model's inputs, without the batch axis.

    Example:
        class Digits(Task):
            name = "digits"
            labels = tuple("0123456789")
            inputs = (TensorSpec("image", "uint8", (28, 28)),)

            def load(self) -> Splits: ...
            def build(self, hp): return presets.image(hp, self)
    """

    name: ClassVar[str]
    kind: ClassVar[str] = "classification"
    labels: ClassVar[tuple[str, ...]]
    inputs: ClassVar[tuple[TensorSpec, ...]]

    @abc.abstractmethod
    def load(self) -> Splits:
        """The task's own rows, the same at every call."""

    def data(self, window: LabelledWindow) -> Splits:
        """The rows to tune on. Override to decide yourself how old and new rows mix.

        Args:
            window: Labelled rows of live traffic; empty for the first search.

        Returns:
            The task's own splits where the window is empty, else `evertune.mixing.mix` of both.
        """
        original = self.load()
        return original if window.rows is None else Splits(**mix(vars(original), window.rows))

    @abc.abstractmethod
    def build(self, hp: Any) -> Any:
        """Builds an untrained model.

        Args:
            hp: `keras_tuner.HyperParameters`.

        Returns:
            A Keras 3 model or a `torch.nn.Module` that maps `inputs` to class probabilities, shape (rows,
            len(labels)), or a scikit-learn estimator or pipeline. A Keras model left uncompiled, and any module, is
            trained with optimizer, schedule and regularisation as hyperparameters.
        """

    # An optional `fit(self, hp, model, train, validation, epochs, callbacks)` replaces the default training loop.

    @property
    def signature(self) -> Signature:
        """Inputs as declared, and the one output `probabilities`."""
        return Signature(self.inputs, (TensorSpec("probabilities", "float32", (len(self.labels),)),))
