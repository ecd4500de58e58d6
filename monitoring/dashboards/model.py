"""One model: how right it is, how sure that is, and what comes in."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from monitoring.dashboards.face import BAD, FAIR, PLAIN, Face, Query
from monitoring.dashboards.frame import frame, label_variable, window_variable
from monitoring.dashboards.panels import Panel, bars, heat, lines, number

_MODEL = 'model=~"$model"'
_LINE = f"evertune_drift_log10_threshold{{{_MODEL}}}"
_WINDOW = f'{_MODEL}, window="$window"'
_SINCE = f'{_MODEL}, window="since_promotion", source="labelled"'
_FLOOR = (
    f"max by (version) (evertune_accuracy_reference_ratio{{{_MODEL}}} - evertune_accuracy_tolerance_ratio{{{_MODEL}}})"
)


def model() -> build.Dashboard:
    """Everything about one champion."""
    board = frame("model", "Evertune / Model", "One model: how right it is, how sure that is, and what comes in.")
    board.with_variable(label_variable("model", "Model", "evertune_model_info", several=False))
    board.with_variable(window_variable())
    for panel in (*_now(), *_accuracy(), *_labels(), *_input()):
        board.with_panel(panel)
    return board


def _now() -> tuple[Panel, ...]:
    labelled = f'{_WINDOW}, source="labelled"'
    return (
        number(
            Face(
                "Accuracy", "Share of right answers among labelled rows of the window.", "percentunit", 4, 4, decimals=1
            ),
            Query(f"max(evertune_accuracy_ratio{{{labelled}}})"),
        ),
        number(
            Face(
                "Estimate",
                "Mean calibrated confidence of all rows of the window: needs no labels, cannot see that what is right "
                "has changed.",
                "percentunit",
                4,
                4,
                decimals=1,
                base=PLAIN,
                runbooks=("ModelAccuracyEstimateLow",),
            ),
            Query(f'max(evertune_accuracy_ratio{{{_WINDOW}, source="estimated"}})'),
        ),
        number(
            Face(
                "Reference",
                "Lower 95% bound of the accuracy on data that the search never saw.",
                "percentunit",
                4,
                4,
                decimals=1,
                base=PLAIN,
            ),
            Query(f"max(evertune_accuracy_reference_ratio{{{_MODEL}}})"),
        ),
        number(
            Face(
                "Evidence of drift",
                "Share of its line; at 100% a re-tune is asked for, and it stands until the champion changes.",
                "percentunit",
                4,
                4,
                steps=((0.5, FAIR), (1.0, BAD)),
                runbooks=("ModelHarmfulDrift",),
                decimals=0,
            ),
            Query(f"max(model_version:evertune_drift_evidence:ratio{{{_MODEL}}})"),
        ),
        number(
            Face(
                "Labelled",
                "Share of the window's rows whose label is known.",
                "percentunit",
                4,
                4,
                decimals=1,
                base=PLAIN,
            ),
            Query(f"max(evertune_label_coverage_ratio{{{_WINDOW}}})"),
        ),
        number(
            Face("Champion since", "Time since it was promoted.", "s", 4, 4, base=PLAIN),
            Query(f"time() - max(evertune_model_promoted_timestamp_seconds{{{_MODEL}}})"),
        ),
    )


def _accuracy() -> tuple[Panel, ...]:
    labelled = f'{_WINDOW}, source="labelled"'
    by = "max by (version)"
    return (
        lines(
            Face(
                "Accuracy over the window",
                "Labelled accuracy within its 95% interval, the label-free estimate, and the floor: reference less "
                "tolerance. The interval is about the window's own rows.",
                "percentunit",
                12,
                9,
                runbooks=("ModelHarmfulDrift", "ModelAccuracyEstimateLow"),
            ),
            Query(f"max(evertune_accuracy_lower_bound_ratio{{{labelled}}})", "at least"),
            Query(f"max(evertune_accuracy_upper_bound_ratio{{{labelled}}})", "at most"),
            Query(f"{by} (evertune_accuracy_ratio{{{labelled}}})", "labelled {{version}}"),
            Query(f'{by} (evertune_accuracy_ratio{{{_WINDOW}, source="estimated"}})', "estimated {{version}}"),
            Query(_FLOOR, "floor {{version}}"),
            band=("at least", "at most"),
        ),
        lines(
            Face(
                "Accuracy since promotion",
                "Running mean over all labels since the champion was deployed; its 95% band holds at all times.",
                "percentunit",
                12,
                9,
                runbooks=("ModelHarmfulDrift",),
            ),
            Query(f"max(evertune_accuracy_lower_bound_ratio{{{_SINCE}}})", "at least"),
            Query(f"max(evertune_accuracy_upper_bound_ratio{{{_SINCE}}})", "at most"),
            Query(f"{by} (evertune_accuracy_ratio{{{_SINCE}}})", "labelled {{version}}"),
            Query(_FLOOR, "floor {{version}}"),
            band=("at least", "at most"),
        ),
        lines(
            Face(
                "Evidence and its line",
                "log10 of the e-detector's evidence that the loss is above reference plus tolerance, cut at 3 lines.",
                "short",
                12,
                runbooks=("ModelHarmfulDrift", "DriftUnanswered"),
            ),
            Query(
                f"{by} ({_LINE} * clamp_max(evertune_drift_log10_evidence{{{_MODEL}}} / {_LINE}, 3))",
                "evidence {{version}}",
            ),
            Query(f"max({_LINE})", "line"),
        ),
        lines(
            Face(
                "Rows of the window",
                "Predicted by the champion, and those of them whose label is known.",
                "short",
                12,
                minimum=0,
                runbooks=("LabelsStopped",),
            ),
            Query(f"{by} (evertune_predicted_rows{{{_WINDOW}}})", "predicted {{version}}"),
            Query(f"{by} (evertune_labelled_rows{{{_WINDOW}}})", "labelled {{version}}"),
        ),
    )


def _labels() -> tuple[Panel, ...]:
    each = "[$__rate_interval]"
    return (
        lines(
            Face(
                "Labels a second",
                "Joined with their prediction, and those whose prediction is gone.",
                "short",
                8,
                minimum=0,
                runbooks=("LabelsUnmatched", "LabelsStopped"),
            ),
            Query(f"max(rate(evertune_labels_received_total{{{_MODEL}}}{each}))", "received"),
            Query(f"max(rate(evertune_labels_unmatched_total{{{_MODEL}}}{each}))", "unmatched"),
        ),
        lines(
            Face(
                "Labels that wait",
                "Came, but no evaluator has taken them yet. It falls to 0 every few seconds.",
                "short",
                8,
                steps=((10_000, FAIR),),
                minimum=0,
                runbooks=("ModelMonitorStale",),
            ),
            Query(f"max(evertune_labels_waiting{{{_MODEL}}})", "waiting"),
        ),
        heat(
            Face("Label delay", "From prediction to first label: how many labels, by how late they were.", "s", 8),
            Query(f"sum by (le) (increase(evertune_label_delay_seconds_bucket{{{_MODEL}}}{each}))", "{{le}}"),
        ),
    )


def _input() -> tuple[Panel, ...]:
    statistic = f"max by (feature) (evertune_feature_drift_statistic{{{_MODEL}}})"
    return (
        heat(
            Face(
                "Confidence",
                "Calibrated probability to be right: how many rows, by how sure the model was.",
                "percentunit",
                8,
                runbooks=("ModelAccuracyEstimateLow",),
            ),
            Query(
                f"sum by (le) (increase(evertune_prediction_confidence_ratio_bucket{{{_MODEL}}}[$__rate_interval]))",
                "{{le}}",
            ),
        ),
        bars(
            Face(
                "Features that moved furthest",
                "Distance, 0 to 1, between the champion's first and newest rows. A hint: it asks for nothing.",
                "percentunit",
                8,
                steps=((0.15, FAIR), (0.3, BAD)),
                minimum=0,
                maximum=1,
                runbooks=("FeaturesDrifted",),
                empty="fewer than 100 rows on each side",
            ),
            Query(f"sort_desc(topk(8, {statistic}))", "{{feature}}"),
        ),
        lines(
            Face(
                "Feature drift over time",
                "The features that moved furthest in this time, and what chance allows.",
                "percentunit",
                8,
                minimum=0,
                runbooks=("FeaturesDrifted",),
            ),
            Query(f"topk(5, {statistic})", "{{feature}}"),
            Query(f"max(evertune_feature_drift_threshold{{{_MODEL}}})", "chance"),
        ),
    )
