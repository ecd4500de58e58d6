"""Live accuracy from sums, each figure with an interval and its basis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

from scipy.special import ndtri

from evertune.statistics import Interval, estimated_accuracy, finite_population
from monitoring.windows import WindowSums

# The interval of the prediction-powered figure leans on the central limit theorem; with fewer labels it is not shown.
_FEWEST_POWERED = 100
_LEVEL = 0.95


@dataclass(frozen=True)
class Figure:
    """An accuracy.

    Attributes:
        source: What it rests on.
        value: In [0, 1].
        interval: 95%, about the rows of the window themselves.
    """

    source: Literal["labelled", "estimated", "prediction_powered"]
    value: float
    interval: Interval


def figures(sums: WindowSums, *, calibration_rows: int, random_labels: bool) -> list[Figure]:
    """All figures that a window allows.

    Args:
        sums: Over its rows.
        calibration_rows: Rows that the confidence map was fitted on.
        random_labels: Whether all rows have the same known chance to be labelled; "prediction_powered" needs that.
    """
    found = []
    if sums.labelled:
        found.append(labelled(sums))
    if sums.predicted:
        found.append(estimated(sums, calibration_rows))
    if random_labels and sums.labelled >= _FEWEST_POWERED:
        found.append(prediction_powered(sums))
    return found


def labelled(sums: WindowSums) -> Figure:
    """Share of right answers among labelled rows; the interval is about all predicted rows of the window.

    Of tasks whose losses lie between 0 and 1 it is the mean score, 1 - loss. Its interval is that of a share, widened
    to whole rows: of all losses with one mean those of 0 and 1 vary most.

    Example:
        >>> figure = labelled(WindowSums(predicted=1000, labelled=200, loss_sum=20))
        >>> figure.value, round(figure.interval.lower, 3), round(figure.interval.upper, 3)
        (0.9, 0.855, 0.934)
    """
    right, population = sums.labelled - sums.loss_sum, max(sums.predicted, sums.labelled)
    ends = [finite_population(int(end), sums.labelled, population, _LEVEL) for end in (floor(right), ceil(right))]
    return Figure("labelled", right / sums.labelled, Interval(ends[0].lower, ends[1].upper, _LEVEL))


def estimated(sums: WindowSums, calibration_rows: int) -> Figure:
    """Mean calibrated confidence: needs no labels, and cannot see a change in what is right."""
    value, interval = estimated_accuracy(
        sums.confidence_sum,
        max(0.0, sums.variance_sum),
        sums.predicted,
        calibration_rows=calibration_rows,
        confidence_level=_LEVEL,
    )
    return Figure("estimated", value, interval)


def prediction_powered(sums: WindowSums) -> Figure:
    """Mean confidence of all rows, corrected by how much it was off on the labelled ones.

    Unbiased where labelled rows are drawn uniformly, however wrong the confidence is, and narrower than the labelled
    figure where the confidence is good.

    Source: the difference estimator, W. G. Cochran, "Sampling Techniques" (1977), section 7.9 with a fixed slope of 1
    and its variance with finite population correction; in the words of today, prediction-powered inference
    (A. Angelopoulos et al., Science 382, 2023). The confidence map was fitted on other rows, before.

    Example:
        >>> sums = WindowSums(1000, 950.0, 40.0, 200, loss_sum=30, surprise_sum=-20.0, surprise_square_sum=22.0)
        >>> figure = prediction_powered(sums)
        >>> round(figure.value, 3), round(figure.interval.lower, 3), round(figure.interval.upper, 3)
        (0.85, 0.811, 0.889)
    """
    rows, population = sums.labelled, max(sums.predicted, sums.labelled)
    surprise = sums.surprise_sum / rows
    value = sums.confidence_sum / population + surprise
    spread = (sums.surprise_square_sum - rows * surprise * surprise) / (rows - 1)
    spread = max(spread, 1 / rows)  # as if one row had been wrong: what was never seen is not impossible
    half = float(ndtri(0.5 + _LEVEL / 2)) * math.sqrt((1 - rows / population) * spread / rows)
    value = min(1.0, max(0.0, value))
    return Figure("prediction_powered", value, Interval(max(0.0, value - half), min(1.0, value + half), _LEVEL))
