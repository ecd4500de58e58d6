"""What the ledger itself says about drift of a bundle: the only thing that a trigger's word is checked against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from evertune.ledger import Deployment, DetectorRecord, Ledger, Tenure
from evertune.ledger.schema import labels, row_losses
from evertune.statistics import EDetector


@dataclass(frozen=True)
class DriftEvidence:
    """The state of a bundle's detector, with labels counted since the bundle was deployed.

    Attributes:
        digest: Of the bundle.
        alarmed: Whether the evidence has crossed its line.
        labels: How many the detector has seen.
        log10_evidence: Now; never below the line once that was crossed.
        log10_threshold: The line.
        alarm_at: Labels seen at the crossing; None before.
        onset: Labels seen before the most likely time of change.
        onset_predicted_at: Seconds since the epoch at which the first changed row was predicted; None where unknown.
        alarm_arrived_at: When the label arrived that crossed the line; None before.
    """

    digest: str
    alarmed: bool
    labels: int
    log10_evidence: float
    log10_threshold: float
    alarm_at: int | None
    onset: int
    onset_predicted_at: float | None
    alarm_arrived_at: float | None

    def to_json(self) -> dict[str, Any]:
        """For the detail of a job and the evidence of a deployment."""
        return dict(vars(self))


def read_evidence(ledger: Ledger, champion: Deployment) -> DriftEvidence | None:
    """The evidence against a champion in its present reign.

    Returns:
        None where the evaluator has not looked at this deployment yet. What it knows of an earlier reign of the same
        bundle was answered when the bundle was replaced, and does not count against one that came back.
    """
    record = ledger.detectors.load(champion.model, champion.digest)
    if record is None or record.state.get("deployment", champion.sequence) != champion.sequence:
        return None
    detector = EDetector.from_json(record.state)
    reign = Tenure.of(champion.digest, ledger.registry.history(champion.model)).since
    onset = _find(ledger, record, reign, detector.count, detector.onset)
    alarm = None if detector.alarm_at is None else _find(ledger, record, reign, detector.count, detector.alarm_at - 1)
    return DriftEvidence(
        champion.digest,
        detector.alarmed,
        detector.count,
        max(detector.log10_evidence, detector.log10_threshold) if detector.alarmed else detector.log10_evidence,
        detector.log10_threshold,
        detector.alarm_at,
        detector.onset,
        None if onset is None else onset.predicted_at,
        None if alarm is None else alarm.arrived_at,
    )


def _find(ledger: Ledger, record: DetectorRecord, since: float, count: int, index: int) -> Any:
    """The label that the detector took as its `index`-th, counted from 0; None where its loss is not kept.

    Positions are counted back from the newest loss, so that old losses may be pruned.
    """
    column = row_losses.c
    mine = [column.model == record.model, column.digest == record.digest, column.sequence <= record.last_sequence]
    if since > -math.inf:  # the first tenure: nothing to leave out
        mine.append(column.predicted_at >= since)
    query = (
        select(column.predicted_at, labels.c.arrived_at)
        .join(labels, labels.c.sequence == column.sequence)
        .where(*mine)
        .order_by(column.sequence)
        .limit(1)
    )
    with ledger.read() as connection:
        stored = int(connection.scalar(select(func.count()).select_from(row_losses).where(*mine)) or 0)
        position = stored - count + index
        return connection.execute(query.offset(position)).one_or_none() if 0 <= position < stored else None
