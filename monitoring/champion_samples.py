"""Accuracy and evidence of a champion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, func, select

from evertune.ledger import Deployment, DetectorRecord
from evertune.ledger.schema import predictions
from evertune.statistics import Interval
from monitoring.accuracy import figures
from monitoring.bundle_facts import Facts
from monitoring.evidence import Evidence
from monitoring.feature_drift import FeatureDrift
from monitoring.samples import Sample
from monitoring.state import BundleState
from monitoring.windows import WindowSums

# How labels are drawn is a property of the present, and asking the newest requests costs nothing.
_NEWEST_REQUESTS = 200


def champion_samples(
    connection: Connection,
    champion: Deployment,
    record: DetectorRecord | None,
    facts: Facts,
    windows: Mapping[str, WindowSums],
) -> Iterator[Sample]:
    """All that is known about the champion of one model.

    Args:
        connection: One snapshot of the ledger.
        champion: Its deployment.
        record: Its detector; None before the first evaluation.
        facts: Of its bundle.
        windows: Sums over the last hour, day and week.
    """
    bundle = {"model": champion.model, "version": champion.digest[:12]}
    random_labels, known = _label_selection(connection, champion.model)
    yield Sample("evertune_model_info", 1, {**bundle, "digest": champion.digest, "recipe": facts.recipe})
    yield Sample("evertune_model_promoted_timestamp_seconds", champion.decided_at, bundle)
    yield Sample("evertune_label_selection_known", known, {"model": champion.model})
    for window, sums in windows.items():
        place = {**bundle, "window": window}
        yield Sample("evertune_predicted_rows", sums.predicted, place)
        yield Sample("evertune_labelled_rows", sums.labelled, place)
        yield Sample("evertune_label_open_rows", sums.open, place)
        if sums.predicted > sums.open:
            coverage = sums.labelled / (sums.predicted - sums.open)
            yield Sample("evertune_label_coverage_ratio", min(1.0, coverage), place)
        for figure in figures(sums, calibration_rows=facts.calibration_rows, random_labels=random_labels):
            yield from _accuracy(figure.value, figure.interval, {**place, "source": figure.source})
    if record is not None:
        yield from _since_promotion(champion, BundleState.from_json(record.state), bundle)


def drift_samples(champion: Deployment, drift: FeatureDrift | None) -> Iterator[Sample]:
    """What comes in, against what came in at first; nothing where there are too few rows to say."""
    if drift is None:
        return
    bundle = {"model": champion.model, "version": champion.digest[:12]}
    yield Sample("evertune_feature_drift_threshold", drift.threshold, bundle)
    for feature, statistic in drift.statistics.items():
        yield Sample("evertune_feature_drift_statistic", statistic, {**bundle, "feature": feature})


def _since_promotion(champion: Deployment, state: BundleState, bundle: dict[str, str]) -> Iterator[Sample]:
    if state.deployment != champion.sequence:  # deployed a moment ago: what is stored is about an earlier time
        return
    evidence = Evidence.of(champion.model, champion.digest, state.deployment, state.detector)
    yield Sample("evertune_accuracy_reference_ratio", 1 - evidence.reference_loss, bundle)
    yield Sample("evertune_accuracy_tolerance_ratio", evidence.tolerance, bundle)
    yield Sample("evertune_drift_log10_evidence", evidence.log10_evidence, bundle)
    yield Sample("evertune_drift_log10_threshold", evidence.log10_threshold, bundle)
    place = {**bundle, "window": "since_promotion"}
    yield Sample("evertune_labelled_rows", state.accuracy.count, place)
    if state.accuracy.count:
        yield from _accuracy(state.accuracy.mean, state.accuracy.interval(), {**place, "source": "labelled"})


def _accuracy(value: float, interval: Interval, labels: dict[str, str]) -> Iterator[Sample]:
    yield Sample("evertune_accuracy_ratio", value, labels)
    yield Sample("evertune_accuracy_lower_bound_ratio", interval.lower, labels)
    yield Sample("evertune_accuracy_upper_bound_ratio", interval.upper, labels)


def _label_selection(connection: Connection, model: str) -> tuple[bool, bool]:
    """Whether all rows have the same known chance to be labelled, and whether that chance is known at all."""
    column = predictions.c
    newest = (
        select(column.label_propensity, column.label_selection_known)
        .where(column.model == model)
        .order_by(column.predicted_at.desc())
        .limit(_NEWEST_REQUESTS)
        .subquery()
    )
    known = func.count().filter(newest.c.label_selection_known)
    query = select(func.count(), known, func.min(newest.c.label_propensity), func.max(newest.c.label_propensity))
    rows, known_rows, smallest, largest = connection.execute(query.select_from(newest)).one()
    return bool(rows == known_rows and smallest == largest), bool(rows == known_rows)
