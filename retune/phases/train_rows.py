"""Phase 1: wait for labelled rows since the change, and note which ones the challenger may learn from."""

from __future__ import annotations

import math
from typing import Any

from retune.champion import bind
from retune.context import Context
from retune.evidence import DriftEvidence, read_evidence
from retune.step import End, Next, Step
from retune.supply import stored_rows


def choose_train_rows(context: Context) -> Step:
    """Stores the set "train": labelled rows since the estimated onset, or the newest ones where nothing drifted."""
    ledger, job, settings = context.ledger, context.job, context.settings
    champion = ledger.registry.champion(job.model)
    if champion is None:
        return End("failed", "there is no champion to replace")
    evidence = read_evidence(ledger, champion)
    since = _since(evidence)

    def enough() -> bool:
        return ledger.labels.count_labelled(job.model, predicted_after=since) >= settings.min_train_labels

    stored = ledger.jobs.rows(job.id, "train")
    if not stored and not context.wait_until(enough, settings.gate_wait_seconds):
        found = ledger.labels.count_labelled(job.model, predicted_after=since)
        return End("insufficient", f"{found} labelled rows to train on, {settings.min_train_labels} are needed")
    if not stored:
        rows = ledger.labels.labelled_rows(job.model, predicted_after=since, newest=settings.window_labels)
        ledger.jobs.set_rows(job.id, "train", rows.ids)
        stored = rows.ids
    times = stored_rows(ledger, job.model, stored).times
    return Next(
        "search",
        {
            **_drift(evidence),
            **bind(champion, ledger.registry),
            "counts": {"train": len(stored)},
            "train_from": float(times.min()),
            "train_until": float(times.max()),
        },
    )


def _since(evidence: DriftEvidence | None) -> float | None:
    """Rows predicted after this; the first changed row belongs to the window."""
    if evidence is None or not evidence.alarmed or evidence.onset_predicted_at is None:
        return None
    return math.nextafter(evidence.onset_predicted_at, -math.inf)


def _drift(evidence: DriftEvidence | None) -> dict[str, Any]:
    if evidence is None or not evidence.alarmed:
        return {"evidence": None if evidence is None else evidence.to_json(), "onset": None, "alarm": None}
    return {
        "evidence": evidence.to_json(),
        "onset": {"labels": evidence.onset, "predicted_at": evidence.onset_predicted_at},
        "alarm": {"labels": evidence.alarm_at, "arrived_at": evidence.alarm_arrived_at},
    }
