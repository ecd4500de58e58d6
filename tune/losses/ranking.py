"""Softmax, sampled softmax and BPR against the chosen item."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from evertune.task import Task
from tune.losses.loss import Loss

_FEW_ITEMS = 256  # up to here all of them cost no more than a sample


def softmax(hp: Any, task: Task) -> Loss:
    """Over all items. In all three a row from which nothing was chosen has no loss."""
    return SampledSoftmax(None)


def sampled_softmax(hp: Any, task: Task) -> Loss:
    """Over a sample of the items, where there are more than a few."""
    items = len(task.labels)
    return SampledSoftmax(None if items <= _FEW_ITEMS else _FEW_ITEMS)


def bpr(hp: Any, task: Task) -> Loss:
    """Over pairs."""
    return Bpr(min(len(task.labels) - 1, _FEW_ITEMS))


@dataclass(frozen=True)
class SampledSoftmax:
    """-log of the chosen item's share in the softmax over itself and `negatives` items drawn uniformly.

    Drawn ones that are the chosen item itself are left out. With a uniform draw the correction for the proposal,
    -log(expected count), is the same for every item: log(items / negatives), added to the scores of drawn ones, so that
    their sum stands for that over all others. None: over all items, exactly. The draw is of the framework's own random
    generator, one for a batch.

    Source: S. Jean et al., "On using very large target vocabulary for neural machine translation", ACL 2015.
    """

    negatives: int | None

    def keras(self) -> Any:
        """See `Loss.keras`."""
        import keras

        def loss(truth: Any, scores: Any) -> Any:
            items, chosen = _keras_items(truth), _keras_chosen(truth, scores)
            if self.negatives is None:
                every = keras.ops.logsumexp(scores, axis=-1)
            else:
                others, hidden = _keras_draw(items, scores, self.negatives)
                others = others + _correction(scores.shape[-1], self.negatives) - 1e9 * hidden
                every = keras.ops.logsumexp(keras.ops.concatenate([chosen[:, None], others], axis=-1), axis=-1)
            return (every - chosen) * keras.ops.cast(items >= 0, scores.dtype)

        return loss

    def torch(self, *, logits: bool = False) -> Any:
        """See `Loss.torch`."""
        import torch

        def loss(scores: Any, truth: Any) -> Any:
            items, chosen = truth.long().reshape(-1), _torch_chosen(scores, truth)
            if self.negatives is None:
                every = scores.logsumexp(dim=-1)
            else:
                others, hidden = _torch_draw(items, scores, self.negatives)
                others = (others + _correction(scores.shape[-1], self.negatives)).masked_fill(hidden, -1e9)
                every = torch.cat([chosen[:, None], others], dim=-1).logsumexp(dim=-1)
            return (every - chosen) * (items >= 0)

        return loss


@dataclass(frozen=True)
class Bpr:
    """-log sigmoid(score of the chosen item - score of another), the mean over `negatives` others drawn uniformly.

    Source: S. Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009.
    """

    negatives: int

    def keras(self) -> Any:
        """See `Loss.keras`."""
        import keras

        def loss(truth: Any, scores: Any) -> Any:
            items = _keras_items(truth)
            others, hidden = _keras_draw(items, scores, self.negatives)
            terms = keras.ops.softplus(others - _keras_chosen(truth, scores)[:, None]) * (1.0 - hidden)
            mean = keras.ops.sum(terms, axis=-1) / keras.ops.maximum(keras.ops.sum(1.0 - hidden, axis=-1), 1.0)
            return mean * keras.ops.cast(items >= 0, scores.dtype)

        return loss

    def torch(self, *, logits: bool = False) -> Any:
        """See `Loss.torch`."""
        import torch

        def loss(scores: Any, truth: Any) -> Any:
            items = truth.long().reshape(-1)
            others, hidden = _torch_draw(items, scores, self.negatives)
            terms = torch.nn.functional.softplus(others - _torch_chosen(scores, truth)[:, None]) * ~hidden
            return terms.sum(dim=-1) / (~hidden).sum(dim=-1).clamp(min=1) * (items >= 0)

        return loss


def _correction(items: int, negatives: int) -> float:
    return math.log(items / negatives)


def _keras_items(truth: Any) -> Any:
    import keras

    return keras.ops.cast(keras.ops.reshape(truth, (-1,)), "int32")


def _keras_chosen(truth: Any, scores: Any) -> Any:
    import keras

    items = keras.ops.maximum(_keras_items(truth), 0)  # of rows without one the loss is taken away later
    return keras.ops.sum(keras.ops.one_hot(items, scores.shape[-1], dtype=scores.dtype) * scores, axis=-1)


def _keras_draw(items: Any, scores: Any, count: int) -> tuple[Any, Any]:
    """Scores of drawn items, shape (rows, count), and 1 where the drawn one is the chosen one."""
    import keras

    drawn = keras.random.randint((count,), 0, scores.shape[-1], dtype="int32")
    hidden = keras.ops.cast(items[:, None] == drawn[None, :], scores.dtype)
    return keras.ops.take(scores, drawn, axis=1), hidden


def _torch_chosen(scores: Any, truth: Any) -> Any:
    return scores.gather(1, truth.long().reshape(-1, 1).clamp(min=0))[:, 0]


def _torch_draw(items: Any, scores: Any, count: int) -> tuple[Any, Any]:
    import torch

    drawn = torch.randint(scores.shape[-1], (count,), device=scores.device)
    return scores[:, drawn], items[:, None] == drawn[None, :]
