"""Which of many items is chosen next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from evertune.errors import DataError
from evertune.kinds._names import name_problems, no_label, some
from evertune.kinds._scores import best, check_indices
from evertune.kinds.kind import Parameters, Problems
from evertune.rows import Rows
from evertune.tensors import Array, Tensors, TensorSpec

if TYPE_CHECKING:
    from evertune.evaluation import Evaluation

NOTHING = -1
"""The label of a row from which nothing was chosen."""


class Ranking:
    """Loss: 1 - 1 / log2(1 + rank) for the rank (from 1) of the chosen item, if it is among the first k; else 1.

    That is 1 - NDCG@k with one relevant item. Where nothing was chosen the loss is 1. Of equal scores the item that
    stands first in the labels ranks first, as in the answer.

    Source: K. Jarvelin and J. Kekalainen, "Cumulated gain-based evaluation of IR techniques", TOIS 20 (2002).
    """

    name = "ranking"

    def outputs(self, labels: Sequence[str]) -> tuple[TensorSpec, ...]:
        """One score an item."""
        return (TensorSpec("scores", "float32", (len(labels),)),)

    def parameters(self, task: Any) -> dict[str, Any]:
        """`top_k`: how many items are shown."""
        return {"top_k": getattr(task, "top_k", None)}

    def problems(self, labels: Sequence[str], parameters: Parameters) -> Problems:
        """See `Kind`."""
        found = name_problems(labels, 2, "item ids")
        top_k = parameters.get("top_k")
        if type(top_k) is not int or top_k < 1:
            found.append((f"has top_k {top_k!r}", "Set top_k to the number of items that are shown, at least 1."))
        return found

    def check_rows(self, labels: Sequence[str], split: str, rows: Rows) -> None:
        """Item indices or -1, int64, shape (rows,); at least two items to train on."""
        check_indices(labels, split, rows, lowest=NOTHING, what="item")
        if split == "train" and len(np.unique(rows.labels[rows.labels != NOTHING])) < 2:
            raise DataError(
                f"the {len(rows)} training rows have less than two different items",
                fix="Give training rows in which at least two items were chosen.",
                split="train",
            )

    def check_values(self, values: Array) -> None:
        """Any finite scores will do."""

    def last_layer(self, width: int) -> str:
        """See `Kind`."""
        return f"keras.layers.Dense({width})"

    def decisions(self, values: Array, parameters: Parameters) -> tuple[Array, Array]:
        """The first item."""
        return best(values)

    def row_losses(self, outputs: Tensors, truth: Array, parameters: Parameters) -> npt.NDArray[np.float64]:
        """See the class."""
        ranks = ranks_of(outputs["scores"], truth)
        return 1.0 - np.where(ranks <= parameters["top_k"], 1.0 / np.log2(1.0 + ranks), 0.0)

    def certainty(self, outputs: Tensors, parameters: Parameters) -> Array:
        """The expected NDCG@k, were the softmax of the scores the probability of each item."""
        scores = outputs["scores"].astype(np.float64)
        count = min(int(parameters["top_k"]), scores.shape[1])
        top = -np.sort(np.partition(-scores, count - 1, axis=1)[:, :count], axis=1)
        total = np.exp(scores - top[:, :1]).sum(axis=1)
        gains = 1.0 / np.log2(2.0 + np.arange(count))
        expected: Array = np.clip((np.exp(top - top[:, :1]) @ gains) / total, 0.0, 1.0)
        return expected

    def encode_label(self, value: Any, labels: Sequence[str]) -> float:
        """From an item id, or None where nothing was chosen. Never from an index: item ids often look like numbers."""
        if value is None:
            return float(NOTHING)
        if not isinstance(value, str) or value not in labels:
            fix = f"Send an item id as text, of {some(labels)}, or null where nothing was chosen."
            raise no_label(value, "item", fix)
        return float(labels.index(value))

    def read_label(self, text: str, labels: Sequence[str]) -> Any:
        """An item id; nothing was chosen where the text is empty."""
        return text or None

    def show_label(self, number: float, labels: Sequence[str]) -> Any:
        """An item id, or None where nothing was chosen."""
        return None if number == NOTHING else labels[int(number)]

    def show_answer(self, answer: dict[str, Any]) -> Any:
        """The first item."""
        return answer["items"][0]["item"]

    def decode_labels(self, numbers: Array, labels: Sequence[str]) -> Array:
        """Item indices, int64; -1 where nothing was chosen."""
        return np.asarray(numbers).astype(np.int64)

    def answer(self, outputs: Tensors, labels: Sequence[str], parameters: Parameters) -> list[dict[str, Any]]:
        """The first k items with their scores, the best first."""
        scores = outputs["scores"]
        order = np.argsort(-scores, axis=1, kind="stable")[:, : parameters["top_k"]]
        return [
            {"items": [{"item": labels[index], "score": row[index]} for index in first.tolist()]}
            for row, first in zip(scores, order, strict=True)
        ]

    def example_label(self, labels: Sequence[str]) -> Any:
        """An item id."""
        return labels[0]

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
        """Recall@k, NDCG@k, MRR@k and MRR."""
        from evertune.evaluation.ranking import evaluate_ranking  # SciPy is not needed to serve

        ranks = ranks_of(outputs["scores"], truth)
        return evaluate_ranking(ranks, top_k=int(parameters["top_k"]), seed=seed, resamples=resamples)


def ranks_of(scores: Array, truth: Array) -> npt.NDArray[np.float64]:
    """Rank of each row's item from 1; infinite where nothing was chosen, or what is not among the items.

    Example:
        >>> ranks_of(np.array([[0.1, 0.9, 0.9], [0.5, 0.4, 0.3]]), np.array([2, -1])).tolist()
        [2.0, inf]
    """
    items = np.asarray(truth, np.int64)
    known = (items >= 0) & (items < scores.shape[1])
    safe = np.where(known, items, 0)[:, None]
    own = np.take_along_axis(scores, safe, axis=1)
    before = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) < safe))
    return np.where(known, 1.0 + before.sum(axis=1), np.inf)
