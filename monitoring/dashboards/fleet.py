"""All models at a glance."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from monitoring.dashboards.face import BAD, FAIR, PLAIN, Face, Query
from monitoring.dashboards.frame import frame, label_variable, window_variable
from monitoring.dashboards.panels import Panel, grid, lines, number

_MODEL = 'model=~"$model"'
_WINDOW = f'{_MODEL}, window="$window", source="labelled"'


def fleet() -> build.Dashboard:
    """Which model needs somebody, and whether Evertune itself is well."""
    board = frame("fleet", "Evertune / Fleet", "All models: which one needs somebody, and is Evertune itself well?")
    board.with_variable(label_variable("model", "Model", "evertune_model_info", several=True))
    board.with_variable(window_variable())
    for panel in (*_now(), _models(), *_over_time()):
        board.with_panel(panel)
    return board


def _now() -> tuple[Panel, ...]:
    return (
        number(
            Face("Models", "Models that have a champion.", "short", 4, 4, base=PLAIN),
            Query(f"count(count by (model) (evertune_model_info{{{_MODEL}}}))"),
        ),
        number(
            Face(
                "Drift alarms",
                "Champions whose evidence of harmful drift has reached its line. It stands until they are replaced.",
                "short",
                4,
                4,
                steps=((1, BAD),),
                runbooks=("ModelHarmfulDrift", "DriftUnanswered"),
            ),
            Query(f"count(model_version:evertune_drift_evidence:ratio{{{_MODEL}}} >= 1) or vector(0)"),
        ),
        number(
            Face("Re-tunes now", "Re-tunes that wait or run.", "short", 4, 4, steps=((1, FAIR),)),
            Query(f"sum(max by (model) (evertune_retune_running{{{_MODEL}}}))"),
        ),
        number(
            Face(
                "Rows a second",
                "Rows predicted by all servers, over five minutes.",
                "short",
                4,
                4,
                base=PLAIN,
                decimals=1,
            ),
            Query(f"sum(model:evertune_predictions:rate5m{{{_MODEL}}})"),
        ),
        number(
            Face(
                "Failed requests",
                "Share of 5xx answers of the worst server job, over five minutes; 0 where nobody asks.",
                "percentunit",
                4,
                4,
                steps=((0.001, FAIR), (0.0144, BAD)),
                runbooks=("RequestsFailing",),
                decimals=2,
            ),
            Query("max(job:evertune_requests_failed:ratio_rate5m) or vector(0)"),
        ),
        number(
            Face("Alerts firing", "Of all rules that this Prometheus evaluates.", "short", 4, 4, steps=((1, BAD),)),
            Query('count(ALERTS{alertstate="firing"}) or vector(0)'),
        ),
    )


def _models() -> Panel:
    by = "max by (model, version)"
    return grid(
        Face(
            "Champions",
            "Labelled accuracy over the window with the lower end of its 95% interval; margin is accuracy since "
            "promotion above its floor (reference less tolerance); evidence is a share of its line, 1 is an alarm.",
            "short",
            24,
            6,
            runbooks=("ModelHarmfulDrift", "LabelsStopped"),
        ),
        (Query(f"{by} (evertune_accuracy_ratio{{{_WINDOW}}})", "Accuracy"), "percentunit", ()),
        (Query(f"{by} (evertune_accuracy_lower_bound_ratio{{{_WINDOW}}})", "At least"), "percentunit", ()),
        (Query(f"{by} (evertune_accuracy_reference_ratio{{{_MODEL}}})", "Reference"), "percentunit", ()),
        (
            Query(f"{by} (model_version:evertune_accuracy_margin:ratio{{{_MODEL}}})", "Margin"),
            "percentunit",
            ((-1.0, BAD), (0.0, "green")),
        ),
        (
            Query(f"{by} (model_version:evertune_drift_evidence:ratio{{{_MODEL}}})", "Evidence"),
            "percentunit",
            ((0.5, FAIR), (1.0, BAD)),
        ),
        (
            Query(f'{by} (evertune_label_coverage_ratio{{{_MODEL}, window="$window"}})', "Labelled"),
            "percentunit",
            (),
        ),
        (Query(f"{by} (time() - evertune_model_promoted_timestamp_seconds{{{_MODEL}}})", "Since promotion"), "s", ()),
        by=("model", "version"),
    )


def _over_time() -> tuple[Panel, ...]:
    return (
        lines(
            Face(
                "Accuracy",
                "Labelled accuracy of each champion over the window.",
                "percentunit",
                12,
                runbooks=("ModelHarmfulDrift", "ModelAccuracyEstimateLow"),
            ),
            Query(f"max by (model, version) (evertune_accuracy_ratio{{{_WINDOW}}})", "{{model}} {{version}}"),
        ),
        lines(
            Face(
                "Evidence of drift",
                "Share of the line: at 100% a re-tune is asked for. Shown up to 200%.",
                "percentunit",
                12,
                steps=((1.0, BAD),),
                minimum=0,
                runbooks=("ModelHarmfulDrift",),
            ),
            Query(f"clamp_max(model_version:evertune_drift_evidence:ratio{{{_MODEL}}}, 2)", "{{model}} {{version}}"),
        ),
        lines(
            Face("Rows predicted a second", "By all servers, over five minutes.", "short", 8, minimum=0),
            Query(f"model:evertune_predictions:rate5m{{{_MODEL}}}", "{{model}}"),
        ),
        lines(
            Face(
                "Labels a second",
                "That joined a prediction, over an hour.",
                "short",
                8,
                minimum=0,
                runbooks=("LabelsStopped", "LabelsUnmatched"),
            ),
            Query(f"model:evertune_labels_received:rate1h{{{_MODEL}}}", "{{model}}"),
        ),
        lines(
            Face(
                "Age of the last evaluation",
                "How long ago the exporter last took each model's labels; all other figures are as old.",
                "s",
                8,
                steps=((300, BAD),),
                minimum=0,
                runbooks=("ModelMonitorStale",),
            ),
            Query(
                f"time() - max by (model) (evertune_monitor_last_evaluation_timestamp_seconds{{{_MODEL}}} > 0)",
                "{{model}}",
            ),
        ),
    )
