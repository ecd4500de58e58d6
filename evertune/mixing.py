"""The default answer to "how do old and new rows mix?" when a model is re-tuned."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from evertune.rows import Rows

# Of the window, in time order. The newest rows judge, because the model will meet rows newer still.
_SHARES = (("train", 0.65), ("calibration", 0.10), ("validation", 0.10), ("test", 0.15))
# A judging split with fewer new rows than this says too little alone and is topped up with old rows.
_FEWEST_JUDGING_ROWS = 50


def mix(original: Mapping[str, Rows], window: Rows, *, replay_ratio: float = 2.0, seed: int = 0) -> dict[str, Rows]:
    """Balanced replay: old rows keep what was learned, new rows have the same total weight.

    Training takes all new rows, and old rows drawn at random up to `replay_ratio` times as many, weighted so that old
    and new weigh the same in all. Validation, calibration and test are the newer part of the window, since the
    next requests will look like it. No row is in two splits.

    Args:
        original: The task's own rows by split name.
        window: Labelled live rows.
        replay_ratio: Old training rows for each new one, at most.
        seed: Of the draw of old rows.

    Returns:
        Rows by split name, the names of `evertune.task.Splits`.
    """
    ordered = window.take(np.argsort(window.times, kind="stable"))
    new = dict(zip((name for name, _ in _SHARES), _cut(ordered), strict=True))
    mixed = {"train": _replay(original["train"], new["train"], replay_ratio, np.random.default_rng(seed))}
    for name in ("validation", "calibration", "test"):
        enough = len(new[name]) >= _FEWEST_JUDGING_ROWS
        mixed[name] = new[name] if enough else Rows.concatenate([new[name], original[name]])
    return mixed


def _cut(ordered: Rows) -> list[Rows]:
    edges = np.rint(np.cumsum([0.0, *(share for _, share in _SHARES)]) * len(ordered)).astype(int)
    return [ordered.take(slice(start, stop)) for start, stop in pairwise(edges)]


def _replay(old: Rows, new: Rows, ratio: float, random: np.random.Generator) -> Rows:
    if len(new) == 0:
        return old
    count = min(len(old), int(ratio * len(new)))
    drawn = old.take(np.sort(random.choice(len(old), size=count, replace=False)))
    factor = float(new.weights.sum()) / max(float(drawn.weights.sum()), 1e-12)
    return Rows.concatenate([drawn.reweighted(factor), new])
