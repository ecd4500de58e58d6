"""Why there was a job."""

from __future__ import annotations

from typing import Any

from cli.explain.part import Part, count
from cli.explain.story import Story
from cli.output import local_time
from evertune.ledger import RetuneRequest

_ASKERS = {
    "drift": "the evaluator, whose detector raised the alarm",
    "alertmanager": "Alertmanager",
    "schedule": "the schedule",
    "manual": "hand",
}


def cause(story: Story) -> Part:
    """Who asked, and what the ledger's own evidence said."""
    request, evidence = story.request, story.detail.get("evidence")
    lines = [_asked(request)]
    if "evidence" in story.detail:
        lines += _evidence(evidence)
    elif request is not None and "log10_evidence" in request.evidence:  # the job ended before it looked for itself
        seen = request.evidence
        lines.append(f"The asker saw {_weight(seen)}, after {count(seen['labels'], 'label')}.")
    figures = {
        "trigger": None if request is None else request.trigger,
        "requested_at": None if request is None else request.requested_at,
        "request": None if request is None else request.evidence,
        "evidence": evidence,
    }
    return Part("cause", tuple(lines), figures)


def _asked(request: RetuneRequest | None) -> str:
    if request is None:
        return "No request is known for this job."
    asker, reason = _ASKERS.get(request.trigger, request.trigger), request.evidence.get("reason")
    told = f': "{reason}".' if reason else "."
    return f"Asked for by {asker}, {local_time(request.requested_at)}{told}"


def _weight(evidence: dict[str, Any]) -> str:
    return f"evidence of 10^{evidence['log10_evidence']:.1f}, the line being 10^{evidence['log10_threshold']:.1f}"


def _evidence(evidence: dict[str, Any] | None) -> list[str]:
    if evidence is None:
        return ["The ledger held no evidence of drift."]
    against = f"Against champion {evidence['digest'][:12]} stood {_weight(evidence)}"
    if not evidence["alarmed"]:
        return [f"{against}, after {count(evidence['labels'], 'label')}: drift was not shown."]
    late = evidence["alarm_at"] - evidence["onset"]
    onset = evidence["onset_predicted_at"]
    since = "" if onset is None else f", with rows predicted from {local_time(onset)} on"
    return [
        f"{against}.",
        f"The change most likely began after label {evidence['onset']:,}{since}.",
        f"The alarm came at label {evidence['alarm_at']:,}, {count(late, 'label')} later.",
    ]
