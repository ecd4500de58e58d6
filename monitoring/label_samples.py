"""Labels of a model: how many, how late, how many wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from evertune.ledger import DetectorRecord
from evertune.ledger.schema import FIRST, clicks, labels
from monitoring.samples import Sample
from monitoring.tally import Tally


def label_samples(connection: Connection, model: str, records: Sequence[DetectorRecord]) -> Iterator[Sample]:
    """Sums over all bundles of a model, so that a promotion does not set a counter back.

    Args:
        connection: One snapshot of the ledger.
        model: Name.
        records: Of all its bundles.
    """
    place, tally = {"model": model}, Tally()
    for record in records:
        tally = tally.plus(Tally.from_json(record.state["tally"]))
    cursor = max((record.last_sequence for record in records), default=0)
    column = labels.c
    waiting = select(func.count()).where(column.model == model, column.revision == FIRST, column.sequence > cursor)
    yield Sample("evertune_labels_received_total", tally.received, place)
    yield Sample("evertune_labels_unmatched_total", tally.unmatched, place)
    yield Sample("evertune_labels_waiting", int(connection.scalar(waiting) or 0), place)
    yield Sample("evertune_label_delay_seconds", tally, place)
    event = clicks.c
    late = select(func.count()).where(event.model == model, event.late)
    clicked_at = connection.scalar(select(func.max(event.arrived_at)).where(event.model == model)) or 0.0
    yield Sample("evertune_label_late_clicks_total", int(connection.scalar(late) or 0), place)
    if tally.received or clicked_at:
        last = max(tally.last_arrival, clicked_at)
        yield Sample("evertune_label_last_arrival_timestamp_seconds", last, place)
