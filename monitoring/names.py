"""Every metric of the exporter: its name, kind, labels and meaning. What is not here is not exposed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_BUNDLE = ("model", "version")
_WINDOW = (*_BUNDLE, "window")
_FIGURE = (*_BUNDLE, "source", "window")


@dataclass(frozen=True)
class Definition:
    """One metric.

    Attributes:
        kind: Of Prometheus.
        help: For people.
        labels: Names. Every one takes few values: models, the champion's digest shortened, closed sets.
    """

    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


METRICS = {
    "evertune_model_info": Definition("gauge", "1 for the champion of each model.", (*_BUNDLE, "digest", "recipe")),
    "evertune_model_promoted_timestamp_seconds": Definition("gauge", "When the champion was deployed.", _BUNDLE),
    "evertune_accuracy_ratio": Definition(
        "gauge",
        "Accuracy of the champion: 1 - mean bounded loss, for tasks other than classification a score.",
        _FIGURE,
    ),
    "evertune_accuracy_lower_bound_ratio": Definition("gauge", "Lower end of its 95% interval.", _FIGURE),
    "evertune_accuracy_upper_bound_ratio": Definition("gauge", "Upper end of its 95% interval.", _FIGURE),
    "evertune_accuracy_reference_ratio": Definition(
        "gauge", "Lower 95% bound of the accuracy on data that the search never saw.", _BUNDLE
    ),
    "evertune_accuracy_tolerance_ratio": Definition("gauge", "Accuracy below the reference that is fine.", _BUNDLE),
    "evertune_drift_log10_evidence": Definition(
        "gauge", "log10 of the evidence for harmful drift; once over the threshold it stays there.", _BUNDLE
    ),
    "evertune_drift_log10_threshold": Definition("gauge", "The line that the evidence is held against.", _BUNDLE),
    "evertune_feature_drift_statistic": Definition(
        "gauge",
        "Kolmogorov-Smirnov distance, 0 to 1, between the first and the newest rows of the champion; the 20 largest.",
        (*_BUNDLE, "feature"),
    ),
    "evertune_feature_drift_threshold": Definition(
        "gauge", "Where nothing has moved, the chance of any distance above this is 1%.", _BUNDLE
    ),
    "evertune_predicted_rows": Definition("gauge", "Rows that the champion predicted in the window.", _WINDOW),
    "evertune_labelled_rows": Definition("gauge", "Those of them whose label is known and evaluated.", _WINDOW),
    "evertune_label_open_rows": Definition("gauge", "Those of them whose horizon for clicks has not passed.", _WINDOW),
    "evertune_label_coverage_ratio": Definition(
        "gauge", "Labelled rows out of predicted rows, without those whose horizon is open.", _WINDOW
    ),
    "evertune_label_selection_known": Definition(
        "gauge",
        "1 where who is labelled is drawn at a known probability, 0 where accuracy has no guarantee.",
        ("model",),
    ),
    "evertune_labels_received_total": Definition("counter", "First labels that joined a prediction.", ("model",)),
    "evertune_labels_unmatched_total": Definition("counter", "Labels whose prediction is gone.", ("model",)),
    "evertune_labels_waiting": Definition("gauge", "First labels that no evaluator has taken yet.", ("model",)),
    "evertune_label_last_arrival_timestamp_seconds": Definition(
        "gauge", "When the newest label or click came.", ("model",)
    ),
    "evertune_label_late_clicks_total": Definition("counter", "Clicks after the horizon of their row.", ("model",)),
    "evertune_label_delay_seconds": Definition("histogram", "From prediction to first label.", ("model",)),
    "evertune_monitor_last_evaluation_timestamp_seconds": Definition(
        "gauge", "When this process last took a model's labels; 0 before the first time.", ("model",)
    ),
    "evertune_monitor_errors_total": Definition("counter", "Evaluations of this process that failed."),
    "evertune_monitor_ledger_up": Definition("gauge", "1 where the ledger answered this scrape."),
    "evertune_retune_requests_total": Definition("counter", "Wishes for a re-tune.", ("model", "trigger")),
    "evertune_retune_suppressed_total": Definition("counter", "Wishes that were not granted.", ("model", "reason")),
    "evertune_retune_runs_total": Definition("counter", "Ended re-tunes.", ("model", "trigger", "outcome")),
    "evertune_retune_running": Definition("gauge", "1 while a re-tune waits or runs.", ("model",)),
    "evertune_retune_awaiting": Definition(
        "gauge", "1 while a challenger that passed its test awaits approval, or the end of a hold.", ("model", "for")
    ),
    "evertune_retune_paused": Definition("gauge", "1 while `evertune pause` holds.", ("model",)),
    "evertune_retune_last_success_timestamp_seconds": Definition("gauge", "When one last promoted.", ("model",)),
    "evertune_retune_last_request_timestamp_seconds": Definition(
        "gauge", "When the newest wish came.", ("model", "trigger")
    ),
    "evertune_retune_schedule_interval_seconds": Definition(
        "gauge", "Longest time between two of the ten newest scheduled wishes.", ("model",)
    ),
    "evertune_retune_phase": Definition(
        "gauge",
        "1 for the phase that a re-tune is in; all 0 while none waits or runs.",
        ("model", "phase"),
    ),
    "evertune_retune_phase_seconds": Definition(
        "gauge", "How long each phase of the newest re-tune took, once the phase is over.", ("model", "phase")
    ),
    "evertune_rollbacks_total": Definition("counter", "Champions that were taken back.", ("model",)),
}
