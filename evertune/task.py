"""What a user writes: a task.

A task is described once and used everywhere: by the search (`build`, `data`), the exporter (`inputs`, `labels`), the
server (class names) and every re-tune (`data` with the labelled rows of live traffic).
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from evertune.kinds import kind_of
from evertune.mixing import mix
from evertune.rows import Rows
from evertune.tensors import Array, Signature, Tensors, TensorSpec

if TYPE_CHECKING:
    from evertune.preprocessing import Preprocessor


@dataclass(frozen=True)
class Splits:
    """The task's rows by purpose. No row may be in two of them.

    Attributes:
        train: Fits weights.
        validation: Steers pruning, selects between trials, and judges precisions.
        calibration: Fits quantization ranges and the confidence map, and orders precisions before they are judged.
        test: Never seen by the search: evaluation and the reference that monitoring compares with.
        slices: Named parts of the test rows that the evaluation reports apart: boolean masks, shape (test rows,).
            They are not tested at the gate and do not outlive mixing with live rows; `Task.guarded_slices` are, and do.
    """

    train: Rows
    validation: Rows
    calibration: Rows
    test: Rows
    slices: Mapping[str, Array] = field(default_factory=dict, kw_only=True)

    @property
    def parts(self) -> dict[str, Rows]:
        """The rows by purpose, in the order above."""
        return {name: getattr(self, name) for name in ("train", "validation", "calibration", "test")}


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
        kind: "classification", "multilabel" (each label holds or not), "regression" or "ranking" (which of many items
            is chosen next).
        labels: Class names, label names, or item ids as text; the index in this tuple is what `Rows.labels` holds. For
            regression the target's name alone.
        inputs: The model's inputs, without the batch axis.
        extra_outputs: What the model gives beside the answer of its kind, such as features; answered at
            `/v2/models/{name}/infer`, and not searched for: such a model is trained by you and exported.
        loss_scale: For regression, which needs it: the absolute error that counts as wholly wrong, in units of the
            target. The bounded loss of a row is min(1, |error| / loss_scale).
        top_k: For ranking: how many items are shown.
        threshold: For multilabel: a label is predicted where its probability is at least this.
        class_weights: For classification: a weight by class name (1 where none is given), or "balanced" for weights
            that give every class the same total. They multiply the weights of training rows and nothing else.
        losses: Names of the training losses to search over, of those in `tune.losses`, the first is tried first; empty
            for all of the kind.

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
    extra_outputs: ClassVar[tuple[TensorSpec, ...]] = ()
    loss_scale: ClassVar[float]
    top_k: ClassVar[int] = 10
    threshold: ClassVar[float] = 0.5
    class_weights: ClassVar[Mapping[str, float] | str | None] = None
    losses: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def load(self) -> Splits:
        """The task's own rows, the same at every call."""

    def data(self, window: LabelledWindow) -> Splits:
        """The rows to tune on. Override to decide yourself how old and new rows mix.

        Args:
            window: Labelled rows of live traffic; empty for the first search.

        Returns:
            The task's own splits where the window is empty, else `evertune.mixing.mix` of both, without the masks of
            `Splits.slices`, which know nothing of the new rows. `guarded_slices` are added to whatever is returned.
        """
        original = self.load()
        if window.rows is None:
            return original
        mixed = mix(original.parts, window.rows)
        return Splits(mixed["train"], mixed["validation"], mixed["calibration"], mixed["test"])

    def preprocessor(self) -> Preprocessor | None:
        """What turns raw columns (texts, ids, image files) into `inputs`; None where clients send tensors.

        `load` makes the task's rows with it, and the bundle carries it, so that the server does the same. It must be
        the same at every call: fit it on the task's own training rows, once (`functools.cache`). Live rows are kept
        as tensors, so a champion and a challenger with different preprocessing are not compared.
        """
        return None

    def guarded_slices(self, inputs: Tensors) -> Mapping[str, Array]:
        """Parts of the rows on which no challenger may be worse, whatever it gains elsewhere: at most 8, by name.

        The gate of a re-tune tests each of them, and the evaluation reports it. Decide row by row, by fixed numbers:
        the same row must be in the same slices whichever rows are beside it. Labels are not known here, so that who is
        tested cannot depend on who was right.

        Args:
            inputs: As the model takes them, first axis rows.

        Returns:
            Boolean masks, shape (rows,).

        Example:
            def guarded_slices(self, inputs):
                return {"night": inputs["hour"][:, 0] < 6}
        """
        return {}

    @abc.abstractmethod
    def build(self, hp: Any) -> Any:
        """Builds an untrained model.

        Args:
            hp: `keras_tuner.HyperParameters`.

        Returns:
            A Keras 3 model or a `torch.nn.Module` that maps `inputs` to the one output of the task's kind:
            `probabilities` or `scores`, shape (rows, len(labels)), or for regression `value`, shape (rows, 1); or a
            scikit-learn estimator or pipeline. A Keras model left uncompiled, and any module, is trained with loss,
            optimizer, schedule and regularisation as hyperparameters.
        """

    # An optional `fit(self, hp, model, train, validation, epochs, callbacks)` replaces the default training loop.

    @property
    def signature(self) -> Signature:
        """Inputs as declared, the output of the task's kind, and the others."""
        return Signature(self.inputs, (*kind_of(self.kind).outputs(self.labels), *self.extra_outputs))

    @property
    def parameters(self) -> dict[str, Any]:
        """What the kind needs to know at serving time, such as `loss_scale`; sealed in the bundle's manifest."""
        return kind_of(self.kind).parameters(self)
