"""How the challenger fared, what was decided, what came back."""

from __future__ import annotations

from typing import Any

from cli.explain.part import Part, accuracy, count
from cli.explain.story import Story
from cli.output import local_time

_DECIDED = {
    "pending": "Waits for a worker.",
    "running": "Still running.",
    "promoted": "The challenger became champion.",
    "rejected": "The champion stays: the challenger was rejected.",
    "insufficient": "The champion stays: there was too little to decide on.",
    "failed": "The champion stays: the job failed.",
    "rolled_back": "The challenger became champion, and was taken back.",
}

_ON_SLICE = {"better": "passed", "not_better": "not passed", "insufficient": "too few rows"}


def test_of(story: Story) -> Part:
    """The paired test between champion and challenger."""
    gate = story.detail.get("gate")
    if gate is None:
        return Part("test", ("No test was held.",), None)
    interval = gate.get("interval")
    spread = f" [{interval['lower']:+.3f}, {interval['upper']:+.3f}]" if interval else ""
    lines = [f"Both models answered the same {count(gate['rows'], 'row')}, which neither had seen."]
    if "champion_loss" in gate:
        lines.append(f"Mean loss: champion {gate['champion_loss']:.3f}, challenger {gate['challenger_loss']:.3f}.")
    margin = f", margin {gate['margin']:g}" if gate.get("margin") else ""
    sign = "<=" if gate["p_value"] <= gate["error_rate"] else ">"
    number = f"test {gate['gate_number']} against this champion" if "gate_number" in gate else "of this test"
    lines.append(f"Difference {gate['difference']:+.3f}{spread}{margin}: below zero the challenger is better.")
    lines.append(f"p = {gate['p_value']:.2g} {sign} {gate['error_rate']:.2g}, the error allowed to {number}.")
    for name, found in gate.get("slices", {}).items():
        lines.append(
            f"Guarded slice {name}: {count(found['rows'], 'row')}, difference {found['difference']:+.3f}, margin "
            f"{found['margin']:g}, p = {found['p_value']:.2g}: {_ON_SLICE[found['outcome']]}."
        )
    lines.append(f"Outcome: {gate['outcome'].replace('_', ' ')}.")
    return Part("test", tuple(lines), gate)


def decision(story: Story) -> Part:
    """What became of the job, in its own words."""
    job, deployment, after = story.job, story.deployment, story.successor
    lines = [_DECIDED.get(job.status, f"{job.status}.")]
    if job.status in ("pending", "running"):
        lines.append(f"Phase {job.phase or 'none yet'}, attempt {job.attempt}, worker {job.lease_owner or 'none'}.")
    if job.detail.get("reason"):
        lines.append(f"Reason: {job.detail['reason']}.")
    if deployment is not None:
        lines.append(f"{deployment.digest[:12]} serves since {local_time(deployment.decided_at)}.")
    if after is not None:
        lines.append(
            f"{after.digest[:12]} followed, {local_time(after.decided_at)}: {after.reason} (by {after.actor})."
        )
    seconds = job.detail.get("seconds", {})
    if seconds:
        lines.append("Seconds: " + ", ".join(f"{phase} {value:.1f}" for phase, value in seconds.items()) + ".")
    figures = {
        "status": job.status,
        "phase": job.phase,
        "reason": job.detail.get("reason"),
        "error": job.detail.get("error"),
        "deployment": None if deployment is None else vars(deployment),
        "successor": None if after is None else vars(after),
        "seconds": seconds,
    }
    return Part("decision", tuple(lines), figures)


def recovery(story: Story) -> Part:
    """How much accuracy came back, on rows newer than all that training and test used."""
    report = story.detail.get("report")
    if not report:
        return Part("recovery", ("Nothing was promoted, or nothing was labelled since.",), None)
    lines = [f"Accuracy before the change: {accuracy(report['before'])}."] if report["before"] else []
    lines += [f"From then to the swap: {accuracy(report['during'])}."] if report["during"] else []
    lines.append(f"Since the swap: {accuracy(report['after'])}.")
    before = report.get("champion_before_on_same_rows")
    lines += [f"The champion before, on the same rows: {accuracy(before)}."] if before else []
    ratio = report.get("recovered_ratio")
    lines.append(_recovered(ratio))
    return Part("recovery", tuple(lines), report)


def _recovered(ratio: Any) -> str:
    if ratio is None:
        return "How much came back cannot be said: nothing was lost, or a figure is missing."
    return f"Of the accuracy that was lost, {ratio:.0%} came back."
