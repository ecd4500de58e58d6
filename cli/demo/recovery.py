"""The demo's verdict: how much of the lost accuracy came back, and whether anything went wrong on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cli.demo.traffic import Answer
from evertune.statistics import wilson
from retune.recovery import Accuracy, Recovery

FEWEST_ROWS = 1000  # of each of the three accuracies
LEAST_RECOVERED_RATIO = 0.85


def split_recovery(
    answers: Sequence[Answer], *, onset_index: int, challenger_digest: str | None, learned_ids: set[str]
) -> Recovery:
    """Sorts the answers of a stream, all of whose truths the demo knows, into before, during and after.

    `after` holds only rows answered by the promoted bundle that are later than every row of training and gate.

    Args:
        answers: Of the whole stream.
        onset_index: First drifted row.
        challenger_digest: Of the promoted bundle; None where none was.
        learned_ids: Row ids of the job's train and gate sets.
    """
    drifted = [answer for answer in answers if answer.index >= onset_index]
    last_learned = max((answer.index for answer in drifted if answer.row_id in learned_ids), default=-1)
    after = [answer for answer in drifted if answer.digest == challenger_digest and answer.index > last_learned]
    return Recovery(
        _accuracy([answer for answer in answers if answer.index < onset_index]),
        _accuracy([answer for answer in drifted if answer.digest != challenger_digest]),
        _accuracy(after),
    )


def problems_of(recovery: Recovery) -> list[str]:
    """What misses the demo's promise."""
    named = {"before": recovery.before, "during": recovery.during, "after": recovery.after}
    found = [
        f"accuracy {name} rests on {rows} rows, fewer than {FEWEST_ROWS}"
        for name, accuracy in named.items()
        if (rows := accuracy.rows if accuracy else 0) < FEWEST_ROWS
    ]
    if recovery.ratio is None:
        found.append("no accuracy was lost, or none is known after the swap: there is nothing to recover")
    elif recovery.ratio < LEAST_RECOVERED_RATIO:
        found.append(f"recovered {recovery.ratio:.2f} of the lost accuracy, less than {LEAST_RECOVERED_RATIO}")
    return found


def describe(accuracy: Accuracy | None) -> str:
    """With its 95% interval, for people.

    Example:
        >>> describe(Accuracy(874, 1000))
        '0.874 [0.852, 0.893] on 1000 rows'
    """
    if accuracy is None or accuracy.ratio is None:
        return "no rows"
    interval = wilson(round(accuracy.correct), accuracy.rows)
    return f"{accuracy.ratio:.3f} [{interval.lower:.3f}, {interval.upper:.3f}] on {accuracy.rows} rows"


def _accuracy(answers: Sequence[Answer]) -> Accuracy:
    return Accuracy.of(np.array([0.0 if answer.correct else 1.0 for answer in answers]))
