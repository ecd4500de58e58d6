"""What a kind of task must say about its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from evertune.rows import Rows
from evertune.tensors import Array, Tensors, TensorSpec

if TYPE_CHECKING:
    from evertune.evaluation import Evaluation

Parameters = Mapping[str, Any]
"""What a kind needs to know at serving time besides the labels; plain JSON, sealed in the manifest."""

Problems = list[tuple[str, str]]
"""What is wrong with a task, and what to do about it."""


class Kind(Protocol):
    """One kind of task. A new kind is one file with such a class and one line in `evertune.kinds`.

    Every kind has one bounded loss a row, in [0, 1] and 0 for a perfect answer, so that one detector, one gate and one
    report serve all. `labels` always means `Task.labels`, `parameters` what `parameters(task)` gave.
    """

    @property
    def name(self) -> str:
        """As in `Task.kind`."""

    def outputs(self, labels: Sequence[str]) -> tuple[TensorSpec, ...]:
        """What the model gives, without the batch axis: one output."""

    def parameters(self, task: Any) -> dict[str, Any]:
        """The kind's parameters as the task declares them."""

    def problems(self, labels: Sequence[str], parameters: Parameters) -> Problems:
        """What is wrong with labels and parameters; empty where nothing is."""

    def check_rows(self, labels: Sequence[str], split: str, rows: Rows) -> None:
        """Checks the labels of a split.

        Raises:
            DataError: Wrong dtype, shape or values, or training rows that nothing can be learned from.
        """

    def check_values(self, values: Array) -> None:
        """Checks a model's finite outputs of the right shape, (rows, width).

        Raises:
            ExportError: They are not what the kind calls for; says which layer to add or change.
        """

    def last_layer(self, width: int) -> str:
        """The layer to end a Keras model with, as code."""

    def decisions(self, values: Array, parameters: Parameters) -> tuple[Array, Array]:
        """What is decided on each row, (rows, ...), and how far the decision is from another one, (rows,)."""

    def row_losses(self, outputs: Tensors, truth: Array, parameters: Parameters) -> npt.NDArray[np.float64]:
        """The loss of each row, float64 in [0, 1], shape (rows,)."""

    def certainty(self, outputs: Tensors, parameters: Parameters) -> Array:
        """What the model itself says about how good its answer is, in [0, 1], shape (rows,).

        The bundle's confidence map turns it into the expected 1 - loss. In the server's path of every request.
        """

    def encode_label(self, value: Any, labels: Sequence[str]) -> float:
        """A client's label as the one number that the ledger keeps.

        Raises:
            InputError: Not a label of the task; names the value.
        """

    def read_label(self, text: str, labels: Sequence[str]) -> Any:
        """What a text in a file, such as a cell of CSV, means as a client's label; `encode_label` says if it is one."""

    def show_label(self, number: float, labels: Sequence[str]) -> Any:
        """The ledger's number as a client would send it: inverse of `encode_label`."""

    def show_answer(self, answer: dict[str, Any]) -> Any:
        """What of an answer stands beside a label, in the label's own form."""

    def decode_labels(self, numbers: Array, labels: Sequence[str]) -> Array:
        """The ledger's numbers, shape (rows,), as `Rows.labels` has them."""

    def answer(self, outputs: Tensors, labels: Sequence[str], parameters: Parameters) -> list[dict[str, Any]]:
        """What `/predict` says about each row, as JSON."""

    def example_label(self, labels: Sequence[str]) -> Any:
        """A label as a client may send it, for documentation."""

    def evaluate(
        self,
        labels: tuple[str, ...],
        outputs: Tensors,
        truth: Array,
        *,
        parameters: Parameters,
        seed: int,
        resamples: int,
    ) -> Evaluation:
        """All metrics of the kind with 95% intervals; see `evertune.evaluation.evaluate`."""
