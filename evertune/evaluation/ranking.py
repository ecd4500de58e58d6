"""Evaluates the ranks of the items that were chosen."""

from __future__ import annotations

import numpy as np

from evertune.errors import DataError
from evertune.evaluation._resampling import Array, Bootstrap
from evertune.evaluation.evaluation import Evaluation


def evaluate_ranking(ranks: Array, *, top_k: int, seed: int, resamples: int) -> Evaluation:
    """Recall@k, NDCG@k, MRR@k and MRR with bootstrap intervals; the score is NDCG@k.

    With one relevant item a row recall@k is the share of rows whose item is among the first k (the hit rate), NDCG@k
    the mean of 1 / log2(1 + rank) within them, and MRR the mean of 1 / rank. A row from which nothing was chosen counts
    as 0 in all of them; `chosen_ratio` is the share of the others.

    Sources: K. Jarvelin and J. Kekalainen, TOIS 20 (2002); E. Voorhees, "The TREC-8 question answering track report",
    1999.

    Args:
        ranks: Of the chosen item, from 1; infinite where nothing was chosen. Shape (rows,).
        top_k: How many items are shown.
        seed: Of the resampling.
        resamples: Of the bootstrap, at least 1.

    Raises:
        DataError: No rows.
    """
    if len(ranks) == 0:
        raise DataError("there are no rows to evaluate", fix="Give at least one row.")
    shown = ranks <= top_k
    columns = {
        f"recall_at_{top_k}": shown.astype(np.float64),
        f"ndcg_at_{top_k}": np.where(shown, 1 / np.log2(1 + ranks), 0.0),
        f"mrr_at_{top_k}": np.where(shown, 1 / ranks, 0.0),
        "mrr": 1 / ranks,
        "chosen_ratio": np.isfinite(ranks).astype(np.float64),
    }
    matrix = np.column_stack(list(columns.values()))
    bootstrap = Bootstrap(
        lambda counts: dict(zip(columns, (counts @ matrix / counts.sum(axis=1)[:, None]).T, strict=True)),
        len(ranks),
        seed=seed,
        resamples=resamples,
    )
    metrics = {name: bootstrap.estimate(name) for name in columns}
    return Evaluation("ranking", len(ranks), metrics[f"ndcg_at_{top_k}"], metrics)
