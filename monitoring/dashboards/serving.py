"""The servers: requests, latency, batches, spool, swaps."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from monitoring.dashboards.face import BAD, FAIR, PLAIN, Face, Query
from monitoring.dashboards.frame import frame, label_variable
from monitoring.dashboards.panels import Panel, heat, lines, number

_HERE = 'instance=~"$instance"'
_MODEL = f'{_HERE}, model=~"$model"'
_EACH = "[$__rate_interval]"


def serving() -> build.Dashboard:
    """What clients see, and what may keep the server from answering."""
    board = frame(
        "serving",
        "Evertune / Serving",
        "What clients of the servers see, and what may keep the servers from answering.",
        runbooks=("RequestsFailing", "RequestsSlow", "ServerNotReady", "SwapFailed", "RecordsDropped"),
    )
    board.with_variable(label_variable("instance", "Instance", "evertune_ready", several=True))
    board.with_variable(label_variable("model", "Model", "evertune_predictions_total", several=True))
    for panel in (*_now(), *_requests(), *_inside(), *_models()):
        board.with_panel(panel)
    return board


def _now() -> tuple[Panel, ...]:
    failed = f'sum(rate(evertune_requests_total{{{_HERE}, status=~"5.."}}[5m])) or vector(0)'
    buckets = f"sum by (le) (rate(evertune_request_seconds_bucket{{{_HERE}}}[5m]))"
    return (
        number(
            Face(
                "Not ready",
                "Chosen servers of which a worker has no model loaded.",
                "short",
                4,
                4,
                steps=((1, BAD),),
                runbooks=("ServerNotReady",),
            ),
            Query(f"count(evertune_ready{{{_HERE}}} == 0) or vector(0)"),
        ),
        number(
            Face("Requests a second", "All routes, over five minutes.", "reqps", 4, 4, base=PLAIN, decimals=1),
            Query(f"sum(rate(evertune_requests_total{{{_HERE}}}[5m]))"),
        ),
        number(
            Face(
                "Failed a second",
                "Answers with a 5xx status, over five minutes.",
                "reqps",
                4,
                4,
                steps=((0.001, FAIR), (1, BAD)),
                decimals=2,
                runbooks=("RequestsFailing",),
            ),
            Query(failed),
        ),
        number(
            Face(
                "99th percentile",
                "Of the time from the head of a request to its answer, all routes, over five minutes.",
                "s",
                4,
                4,
                steps=((0.05, FAIR), (0.1, BAD)),
                runbooks=("RequestsSlow",),
            ),
            Query(f"histogram_quantile(0.99, {buckets})"),
        ),
        number(
            Face(
                "Spool",
                "Predictions answered but not in the ledger yet.",
                "bytes",
                4,
                4,
                steps=((10_000_000, FAIR), (500_000_000, BAD)),
                runbooks=("RecordsNotStored",),
            ),
            Query(f"sum(evertune_spool_bytes{{{_HERE}}})"),
        ),
        number(
            Face(
                "Dropped rows, last hour",
                "Predicted, but refused with 503 because no record of them could be kept.",
                "short",
                4,
                4,
                steps=((0.5, BAD),),
                decimals=0,
                runbooks=("RecordsDropped",),
            ),
            Query(f"sum(increase(evertune_monitor_dropped_total{{{_MODEL}}}[1h])) or vector(0)"),
        ),
    )


def _requests() -> tuple[Panel, ...]:
    buckets = f"sum by (le) (rate(evertune_request_seconds_bucket{{{_HERE}}}{_EACH}))"
    return (
        lines(
            Face(
                "Requests by route and status",
                "499 is a client that hung up; 5xx are failures of the server.",
                "reqps",
                12,
                minimum=0,
                runbooks=("RequestsFailing",),
            ),
            Query(f"sum by (route, status) (rate(evertune_requests_total{{{_HERE}}}{_EACH}))", "{{route}} {{status}}"),
        ),
        lines(
            Face(
                "Time to the answer",
                "Median, 95th and 99th percentile over all routes. Slow is above 0.1 s.",
                "s",
                12,
                steps=((0.1, BAD),),
                minimum=0,
                runbooks=("RequestsSlow",),
            ),
            Query(f"histogram_quantile(0.5, {buckets})", "p50"),
            Query(f"histogram_quantile(0.95, {buckets})", "p95"),
            Query(f"histogram_quantile(0.99, {buckets})", "p99"),
        ),
        heat(
            Face("Distribution of the time to the answer", "How many requests, by how long they took.", "s", 12),
            Query(f"sum by (le) (increase(evertune_request_seconds_bucket{{{_HERE}}}{_EACH}))", "{{le}}"),
        ),
        lines(
            Face(
                "Failed and slow requests",
                "Shares over an hour and five minutes, of all servers of a job. At 14.4 times the allowance (1.44% "
                "failed, 14.4% slow) in both, the alert fires.",
                "percentunit",
                12,
                steps=((0.0144, FAIR), (0.144, BAD)),
                minimum=0,
                runbooks=("RequestsFailing", "RequestsSlow"),
            ),
            Query("job:evertune_requests_failed:ratio_rate5m", "failed, 5 min"),
            Query("job:evertune_requests_failed:ratio_rate1h", "failed, 1 h"),
            Query("job:evertune_requests_slow:ratio_rate5m", "slow, 5 min"),
            Query("job:evertune_requests_slow:ratio_rate1h", "slow, 1 h"),
        ),
    )


def _inside() -> tuple[Panel, ...]:
    batches = (
        f"sum(rate(evertune_batch_rows_sum{{{_HERE}}}{_EACH})) / sum(rate(evertune_batch_rows_count{{{_HERE}}}{_EACH}))"
    )
    return (
        lines(
            Face("Rows a run of the model", "Mean size of a batch: it grows with load.", "short", 8, minimum=0),
            Query(batches, "mean"),
        ),
        lines(
            Face(
                "Rows that wait",
                "For the model, by server. At `serve.max_queue_rows` (4096) the answer is 503.",
                "short",
                8,
                steps=((4096, BAD),),
                minimum=0,
                runbooks=("RequestsSlow",),
            ),
            Query(f"evertune_queue_rows{{{_HERE}}}", "{{instance}}"),
        ),
        lines(
            Face(
                "Spool by server",
                "Predictions on the server's disk that are not in the ledger yet. It empties several times a second.",
                "bytes",
                8,
                steps=((500_000_000, BAD),),
                minimum=0,
                runbooks=("RecordsNotStored", "RecordsDropped"),
            ),
            Query(f"evertune_spool_bytes{{{_HERE}}}", "{{instance}}"),
        ),
    )


def _models() -> tuple[Panel, ...]:
    ratio = "evertune_prediction_confidence_ratio"
    return (
        lines(
            Face("Rows predicted a second", "By model, over the chosen servers.", "short", 6, minimum=0),
            Query(f"sum by (model) (rate(evertune_predictions_total{{{_MODEL}}}{_EACH}))", "{{model}}"),
        ),
        lines(
            Face(
                "Mean confidence",
                "Calibrated probability to be right, by model.",
                "percentunit",
                6,
                runbooks=("ModelAccuracyEstimateLow",),
            ),
            Query(
                f"sum by (model) (rate({ratio}_sum{{{_MODEL}}}{_EACH}))"
                f" / sum by (model) (rate({ratio}_count{{{_MODEL}}}{_EACH}))",
                "{{model}}",
            ),
        ),
        lines(
            Face(
                "Swaps",
                "Champions taken into service or refused, a worker each.",
                "short",
                6,
                minimum=0,
                decimals=0,
                runbooks=("SwapFailed",),
            ),
            Query(
                f"sum by (model, outcome) (increase(evertune_swaps_total{{{_MODEL}}}{_EACH}))", "{{model}} {{outcome}}"
            ),
            stacked=True,
        ),
        lines(
            Face(
                "Labels acknowledged a second",
                "New, repeated and corrected ones.",
                "short",
                6,
                minimum=0,
                runbooks=("LabelsStopped",),
            ),
            Query(f"sum(rate(evertune_labels_total{{{_HERE}}}{_EACH}))", "labels"),
        ),
    )
