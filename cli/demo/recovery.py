"""The demo's verdict: how much of the lost accuracy came back, and whether anything went wrong on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cli.demo.traffic import Answer
from evertune.statistics import Interval, wilson

FEWEST_ROWS = 1000  # of each of the three accuracies
LEAST_RECOVERED_RATIO = 0.85


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on rows of the stream, all of whose truths are known to the demo."""

    correct: int
    rows: int

    @property
    def ratio(self) -> float:
        """Share of correct rows; 0 without rows."""
        return self.correct / self.rows if self.rows else 0.0

    @property
    def interval(self) -> Interval:
        """95% Wilson interval of the accuracy on rows like these."""
        return wilson(self.correct, self.rows)

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> Accuracy:
        """Of the given answers."""
        return cls(sum(answer.correct for answer in answers), len(answers))

    def __str__(self) -> str:
        if not self.rows:
            return "no rows"
        return f"{self.ratio:.3f} [{self.interval.lower:.3f}, {self.interval.upper:.3f}] on {self.rows} rows"


@dataclass(frozen=True)
class Recovery:
    """Before the drift, from its onset to the swap, and after the swap.

    `after` holds only rows answered by the promoted bundle that are later than every row of training and gate.
    """

    before: Accuracy
    during: Accuracy
    after: Accuracy

    @property
    def ratio(self) -> float:
        """(after - during) / (before - during): 1 is all of what was lost; 0 where nothing was lost."""
        lost = self.before.ratio - self.during.ratio
        return (self.after.ratio - self.during.ratio) / lost if lost > 0 else 0.0

    def problems(self) -> list[str]:
        """What misses the demo's promise."""
        found = [
            f"accuracy {name} rests on {accuracy.rows} rows, fewer than {FEWEST_ROWS}"
            for name, accuracy in (("before", self.before), ("during", self.during), ("after", self.after))
            if accuracy.rows < FEWEST_ROWS
        ]
        if self.ratio < LEAST_RECOVERED_RATIO:
            found.append(f"recovered {self.ratio:.2f} of the lost accuracy, less than {LEAST_RECOVERED_RATIO}")
        return found


def split_recovery(
    answers: Sequence[Answer], *, onset_index: int, challenger_digest: str | None, learned_ids: set[str]
) -> Recovery:
    """Sorts the answers of a stream into before, during and after.

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
        Accuracy.of([answer for answer in answers if answer.index < onset_index]),
        Accuracy.of([answer for answer in drifted if answer.digest != challenger_digest]),
        Accuracy.of(after),
    )
