"""Evaluates values against the truth."""

from __future__ import annotations

import numpy as np

from evertune.errors import DataError
from evertune.evaluation._resampling import Array, Bootstrap
from evertune.evaluation.evaluation import Evaluation
from evertune.tensors import Array as AnyArray

_METRICS = ("mse", "rmse", "mae", "r2")


def evaluate_regression(values: AnyArray, truth: AnyArray, losses: Array, *, seed: int, resamples: int) -> Evaluation:
    """Score, MSE, RMSE, MAE and R2 with bootstrap intervals. Definitions are scikit-learn's.

    R2 is 1 - (sum of squared errors) / (sum of squared distances from the mean truth), and 0 where all truths are
    equal.

    Args:
        values: Predicted, shape (rows, 1) or (rows,).
        truth: Shape (rows,).
        losses: Bounded loss of each row.
        seed: Of the resampling.
        resamples: Of the bootstrap, at least 1.

    Raises:
        DataError: No rows, not equally many, or values that are not finite.
    """
    predicted, target = np.asarray(values, np.float64).reshape(-1), np.asarray(truth, np.float64)
    if len(target) == 0 or predicted.shape != target.shape:
        raise DataError(
            f"values have shape {list(np.shape(values))} for targets of shape {list(target.shape)}",
            fix="Give one value a target, at least one.",
        )
    if not (np.isfinite(predicted).all() and np.isfinite(target).all()):
        raise DataError("values or targets are not finite", fix="Give finite numbers only.")
    centred = target - target.mean()  # sums of squares of large numbers would lose their digits
    error = predicted - target
    columns = np.column_stack([error**2, np.abs(error), centred, centred**2, 1 - losses])
    bootstrap = Bootstrap(
        lambda counts: _scores(counts @ columns, counts.sum(axis=1)), len(target), seed=seed, resamples=resamples
    )
    metrics = {name: bootstrap.estimate(name) for name in _METRICS}
    return Evaluation("regression", len(target), bootstrap.estimate("score"), metrics)


def _scores(sums: Array, rows: Array) -> dict[str, Array]:
    squared, absolute, first, second, score = sums.T
    spread = second - first**2 / rows
    r2 = 1 - np.divide(squared, spread, out=np.ones_like(squared), where=spread > 1e-12 * np.maximum(second, 1e-300))
    mse = squared / rows
    return {"mse": mse, "rmse": np.sqrt(mse), "mae": absolute / rows, "r2": r2, "score": score / rows}
