"""Re-tuning: who asked, what came of it, and where it is."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from monitoring.dashboards.face import BAD, FAIR, PLAIN, Face, Query
from monitoring.dashboards.frame import frame, label_variable, window_variable
from monitoring.dashboards.panels import Panel, bars, lines, number, timeline

_MODEL = 'model=~"$model"'
_PHASES = ("waiting", "train_rows", "search", "gate", "promote", "report")  # in their order


def retuning() -> build.Dashboard:
    """Wishes, jobs, outcomes."""
    board = frame(
        "retuning",
        "Evertune / Re-tuning",
        "Who asked for re-tunes, what came of it, and where the running one is.",
        runbooks=("RetuneFailed", "ApprovalAwaited", "DriftUnanswered", "ScheduledRetuneOverdue"),
    )
    board.with_variable(label_variable("model", "Model", "evertune_model_info", several=True))
    board.with_variable(window_variable())
    for panel in (*_now(), *_jobs(), *_wishes(), *_effect()):
        board.with_panel(panel)
    return board


def _ended(outcome: str) -> Query:
    runs = f'increase(evertune_retune_runs_total{{{_MODEL}, outcome="{outcome}"}}[$window])'
    return Query(f"sum(max by (model, trigger) ({runs}))")


def _of_phase(metric: str, phase: str) -> str:
    return f'max by (model) ({metric}{{{_MODEL}, phase="{phase}"}})'


def _now() -> tuple[Panel, ...]:
    return (
        number(
            Face("Wait or run", "Re-tunes of the chosen models now.", "short", 4, 4, steps=((1, FAIR),)),
            Query(f"sum(max by (model) (evertune_retune_running{{{_MODEL}}}))"),
        ),
        number(
            Face("Promoted", "Re-tunes in the window whose challenger proved better.", "short", 4, 4, decimals=0),
            _ended("promoted"),
        ),
        number(
            Face(
                "Rejected",
                "Challengers in the window that did not prove better.",
                "short",
                4,
                4,
                base=PLAIN,
                decimals=0,
            ),
            _ended("rejected"),
        ),
        number(
            Face(
                "Failed",
                "Re-tunes in the window that ended with an error.",
                "short",
                4,
                4,
                steps=((0.5, BAD),),
                runbooks=("RetuneFailed",),
                decimals=0,
            ),
            _ended("failed"),
        ),
        number(
            Face(
                "Taken back",
                "Champions that were rolled back in the window.",
                "short",
                4,
                4,
                steps=((0.5, FAIR),),
                decimals=0,
            ),
            Query(f"sum(max by (model) (increase(evertune_rollbacks_total{{{_MODEL}}}[$window])))"),
        ),
        number(
            Face(
                "Since the last promotion",
                "Of any of the chosen models by a re-tune.",
                "s",
                4,
                4,
                base=PLAIN,
                empty="never",
            ),
            Query(f"time() - max(evertune_retune_last_success_timestamp_seconds{{{_MODEL}}})"),
        ),
    )


def _jobs() -> tuple[Panel, ...]:
    return (
        timeline(
            Face(
                "Where the job is",
                "The phase that each model's re-tune is in; empty while none waits or runs.",
                "short",
                16,
                9,
                runbooks=("DriftUnanswered",),
            ),
            *(Query(_of_phase("evertune_retune_phase", phase), f"{{{{model}}}}: {phase}") for phase in _PHASES),
        ),
        bars(
            Face(
                "How long its phases took",
                "Of the newest re-tune of each model, phase by phase, once the phase is over.",
                "s",
                8,
                9,
                base=PLAIN,
                minimum=0,
                empty="no re-tune yet",
            ),
            Query(f"max by (model, phase) (evertune_retune_phase_seconds{{{_MODEL}}})", "{{model}}: {{phase}}"),
        ),
    )


def _wishes() -> tuple[Panel, ...]:
    return (
        bars(
            Face(
                "Asked for, by whom",
                "Wishes for a re-tune in the window.",
                "short",
                8,
                base=PLAIN,
                minimum=0,
                decimals=0,
            ),
            Query(
                "sum by (trigger) (max by (model, trigger) "
                f"(increase(evertune_retune_requests_total{{{_MODEL}}}[$window])))",
                "{{trigger}}",
            ),
        ),
        bars(
            Face(
                "Not granted, and why",
                "Wishes in the window that led to no job. Cooldown and budget end by themselves.",
                "short",
                8,
                steps=((0.5, FAIR),),
                base=PLAIN,
                minimum=0,
                decimals=0,
                runbooks=("DriftUnanswered",),
            ),
            Query(
                "sum by (reason) (max by (model, reason) "
                f"(increase(evertune_retune_suppressed_total{{{_MODEL}}}[$window])))",
                "{{reason}}",
            ),
        ),
        lines(
            Face(
                "Age of the last wish",
                "By trigger. A schedule that stops shows as a line that only climbs.",
                "s",
                8,
                minimum=0,
                runbooks=("ScheduledRetuneOverdue",),
                empty="no wish yet",
            ),
            Query(
                f"time() - max by (trigger) (evertune_retune_last_request_timestamp_seconds{{{_MODEL}}})", "{{trigger}}"
            ),
        ),
    )


def _effect() -> tuple[Panel, ...]:
    since = f'{_MODEL}, window="since_promotion", source="labelled"'
    return (
        lines(
            Face(
                "Ended, by outcome",
                "Re-tunes that ended, in each step of the picture.",
                "short",
                8,
                minimum=0,
                decimals=0,
                runbooks=("RetuneFailed",),
            ),
            Query(
                "sum by (outcome) (max by (model, trigger, outcome) "
                f"(increase(evertune_retune_runs_total{{{_MODEL}}}[$__rate_interval])))",
                "{{outcome}}",
            ),
            stacked=True,
        ),
        lines(
            Face(
                "Evidence of drift",
                "Share of its line; a promotion starts it anew. Shown up to 200%.",
                "percentunit",
                8,
                steps=((1.0, BAD),),
                minimum=0,
                runbooks=("ModelHarmfulDrift",),
            ),
            Query(f"clamp_max(model_version:evertune_drift_evidence:ratio{{{_MODEL}}}, 2)", "{{model}} {{version}}"),
        ),
        lines(
            Face(
                "Accuracy, champion by champion",
                "Labelled accuracy since each was promoted: what a re-tune brought shows where a line follows another.",
                "percentunit",
                8,
                runbooks=("ModelHarmfulDrift",),
            ),
            Query(f"max by (model, version) (evertune_accuracy_ratio{{{since}}})", "{{model}} {{version}}"),
        ),
    )
