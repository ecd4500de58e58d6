"""Learning curves, as the journal has them."""

from __future__ import annotations

from pathlib import Path

from tune.journal import read_entries
from tune.study import JOURNAL

Curves = dict[str, dict[int, float]]
"""Validation accuracy of the training framework by epoch, by trial id."""


def learning_curves(folder: Path) -> Curves:
    """What each trial reported after each epoch.

    An epoch that was trained twice, since its worker was killed in between, counts as the later run had it; epochs that
    reported no number are left out.

    Args:
        folder: Of the study.

    Raises:
        SearchError: The journal is damaged.
    """
    curves: Curves = {}
    for entry in read_entries(folder / JOURNAL)[0]:
        if entry["event"] == "epoch" and entry["metric"] is not None:
            curves.setdefault(entry["trial_id"], {})[entry["epoch"]] = entry["metric"]
    return curves
