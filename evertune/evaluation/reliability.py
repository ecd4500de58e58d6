"""How often what was said with a certain confidence was right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evertune.evaluation.estimate import Estimate
from evertune.statistics import wilson
from evertune.tensors import Array


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of similar confidence.

    Attributes:
        rows: How many.
        confidence: Their mean confidence.
        accuracy: Their mean score, for classes the share that was right, with Wilson's interval.
    """

    rows: int
    confidence: float
    accuracy: Estimate

    def to_json(self) -> dict[str, Any]:
        """The bin as JSON."""
        return {"rows": self.rows, "confidence": self.confidence, "accuracy": self.accuracy.to_json()}


def reliability(confidence: Array, scores: Array, *, bins: int = 10) -> list[ReliabilityBin]:
    """A reliability diagram's points, from bins of equal width; empty bins are left out.

    Source: Niculescu-Mizil, Caruana, "Predicting good probabilities with supervised learning", ICML 2005.

    Args:
        confidence: In [0, 1], shape (rows,).
        scores: 1 - bounded loss, in [0, 1], shape (rows,): for classes 1 where the answer is right, else 0. Of graded
            scores the interval is conservative: none varies more than one that is 0 or 1 with the same mean.
        bins: Of [0, 1].

    Example:
        >>> found = reliability(np.array([0.61, 0.69, 0.95]), np.array([True, False, True]))
        >>> [(each.rows, round(each.confidence, 2), each.accuracy.value) for each in found]
        [(2, 0.65, 0.5), (1, 0.95, 1.0)]
    """
    places = np.minimum((np.asarray(confidence, float) * bins).astype(int), bins - 1)
    found = []
    for place in np.unique(places):
        mine = places == place
        rows, total = int(mine.sum()), float(np.asarray(scores, float)[mine].sum())
        accuracy = Estimate(total / rows, wilson(round(total), rows))
        found.append(ReliabilityBin(rows, float(np.asarray(confidence)[mine].mean()), accuracy))
    return found
