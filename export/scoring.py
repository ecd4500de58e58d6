"""What a precision costs in accuracy, on rows of its own for each purpose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings
from evertune.statistics import Interval, paired_noninferiority
from evertune.task import Task
from evertune.tensors import Array, Tensors
from export.candidate import Candidate
from export.parity import BATCH_SIZES
from export.recipes import FP32

_ERROR_RATE = 0.025  # one side; the interval of both has 95%
_NORMAL_QUANTILE = 1.96  # of that error rate


def outputs_of(session: Session, inputs: Tensors, batch_rows: int = BATCH_SIZES[-1]) -> Tensors:
    """Runs all rows, `batch_rows` at a time.

    Dynamic INT8 takes the scale of its activations from the whole batch, so its accuracy is that of the batches in
    which it is run: give the server's largest.
    """
    count = len(next(iter(inputs.values())))
    parts = [
        session.run({name: value[start : start + batch_rows] for name, value in inputs.items()})
        for start in range(0, count, batch_rows)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def losses_of(session: Session, rows: Rows, task: Task, batch_rows: int = BATCH_SIZES[-1]) -> Array:
    """The loss of each row, in [0, 1]; run as in `outputs_of`."""
    return row_losses(task.kind, outputs_of(session, rows.inputs, batch_rows), rows.labels, task.parameters)


def difference_of(fp32: Array, other: Array, allowance: float) -> Interval:
    """Of the expected loss that the other precision adds (95%), from losses of the same rows."""
    return paired_noninferiority(fp32, other, margin=allowance, error_rate=_ERROR_RATE, min_rows=1).interval


def with_risk(
    candidates: list[Candidate],
    sessions: Mapping[str, Session],
    rows: Rows,
    task: Task,
    judging_rows: int,
    batch_rows: int,
) -> list[Candidate]:
    """Adds to each candidate the upper end of the interval that the judging rows are expected to give.

    That is the loss added on `rows` plus what chance adds on `judging_rows`: mean + 1.96 deviations / sqrt(rows). Two
    precisions that lose as much differ in how often they answer otherwise than FP32, and so in how many rows it takes
    to show it.

    Args:
        candidates: FP32 first.
        sessions: By recipe; candidates without one are left as they are.
        rows: Any that do not judge.
        task: Kind and its parameters.
        judging_rows: How many will judge.
        batch_rows: The server's largest batch.
    """
    if len(rows) == 0:
        return candidates
    fp32 = losses_of(sessions[FP32], rows, task, batch_rows)

    def risk(session: Session) -> float:
        added = losses_of(session, rows, task, batch_rows) - fp32
        return float(added.mean() + _NORMAL_QUANTILE * added.std() / math.sqrt(max(judging_rows, 1)))

    return [
        replace(each, risk=risk(sessions[each.recipe])) if each.recipe in sessions and each.recipe != FP32 else each
        for each in candidates
    ]


def with_accuracy(
    candidates: list[Candidate], sessions: Mapping[str, Session], rows: Rows, task: Task, settings: ExportSettings
) -> list[Candidate]:
    """Adds accuracy and the paired interval of the loss added on the rows that judge."""
    losses = {recipe: losses_of(session, rows, task, settings.batch_rows) for recipe, session in sessions.items()}
    allowance = settings.allowance_ratio
    return [
        replace(
            each,
            accuracy=1 - float(losses[each.recipe].mean()),
            losses=losses[each.recipe],
            difference=None if each.recipe == FP32 else difference_of(losses[FP32], losses[each.recipe], allowance),
        )
        if each.recipe in losses
        else each
        for each in candidates
    ]
