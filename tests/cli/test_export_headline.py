from __future__ import annotations

from typing import Any

from cli.export_command import _headline


def figure(value: float) -> dict[str, Any]:
    return {"value": value, "interval": {"lower": value - 0.01, "upper": value + 0.01}}


def test_every_kind_of_task_has_a_headline() -> None:
    assert _headline({"accuracy": figure(0.9), "log_loss": figure(0.3), "rows": 70}) == [
        "Accuracy 0.9000 [0.8900, 0.9100] on 70 rows that the search never saw."
    ]
    ranking = {"metrics": ["recall_at_10", "mrr"], "recall_at_10": figure(0.1), "mrr": figure(0.05), "rows": 8}
    assert _headline(ranking) == [
        "Recall at 10 0.1000 [0.0900, 0.1100]",
        "MRR 0.0500 [0.0400, 0.0600] on 8 rows that the search never saw.",
    ]
