"""The exporter and the evaluator ask all the time: their queries must run on an index alone, whatever the size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from evertune.ledger import Ledger


@pytest.mark.parametrize(
    ("ask", "plan"),
    [
        (lambda ledger: ledger.predictions.window("m", None, 0, 1), "COVERING INDEX ix_predictions_window"),
        (lambda ledger: ledger.predictions.window("m", "d", 0, 1), "COVERING INDEX ix_predictions_window"),
        (lambda ledger: ledger.losses.window("m", "d", 0, 1), "COVERING INDEX ix_row_losses_digest"),
        (lambda ledger: ledger.losses.window("m", None, 0, 1), "COVERING INDEX ix_row_losses_window"),
        (lambda ledger: ledger.losses.since("m", "d", 0), "INDEX ix_row_losses_sequence"),
        (lambda ledger: ledger.labels.after("m", 0, 10), "INDEX ix_labels_sequence"),
        (lambda ledger: ledger.labels.labelled_rows("m", predicted_after=0.0), "INDEX ix_labels_predicted_at"),
        (lambda ledger: ledger.registry.champion("m"), "INDEX ix_deployments_model"),
        (lambda ledger: ledger.requests.open(), "INDEX ix_retune_requests_status"),
    ],
)
def test_hot_queries_run_on_their_index_without_sorting(tmp_path: Path, ask: Any, plan: str) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        asked: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            asked.append((statement, parameters))

        event.listen(ledger.engine, "before_cursor_execute", note)
        ask(ledger)
        event.remove(ledger.engine, "before_cursor_execute", note)
        statement, parameters = next(entry for entry in asked if entry[0].startswith("SELECT"))
        with ledger.engine.connect() as connection:
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    text = " | ".join(str(step[3]) for step in steps)
    assert plan in text
    assert "SCAN" not in text
    assert text.count("USE TEMP B-TREE") == 0
