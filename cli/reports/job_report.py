"""The report of a re-tune job: the story that `evertune explain` tells, with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cli.explain.explain import explain_job
from cli.explain.part import Part
from cli.explain.story import Story
from cli.output import local_time
from cli.reports.job_figures import accuracy_path, evidence_path, gate_test, recovery_points
from cli.reports.page import Page
from cli.reports.study_report import add_study
from evertune.ledger import Ledger, RowLoss, Tenure

_BEFORE_SECONDS = 7 * 86_400.0  # of live accuracy that is drawn


def job_page(story: Story, ledger: Ledger) -> Page:
    """Evidence, data, trials, candidates, test, decision, recovery; then the study.

    Args:
        story: Of the job.
        ledger: Holds the losses from which evidence and live accuracy are drawn.
    """
    job = story.job
    page = Page(f"Re-tune job {job.id} of {job.model}: {job.status}", f"begun {local_time(job.created_at)}")
    parts = {part.name: part for part in explain_job(story)}
    order = ("decision", "cause", "data", "test", "recovery", "candidates")
    drawings = {"cause": _draw_cause, "test": _draw_test, "recovery": _draw_recovery}
    for name in order:
        page.section(name.capitalize())
        page.text(*parts[name].lines)
        if name in drawings:
            drawings[name](page, story, ledger)
    _add_search(page, story, parts["trials"])
    return page


def _add_search(page: Page, story: Story, part: Part) -> None:
    if story.study is None:
        page.section("Trials")
        page.text(*part.lines)
    else:
        add_study(page, story.study)


def _draw_cause(page: Page, story: Story, ledger: Ledger) -> None:
    evidence = story.detail.get("evidence")
    digest = story.detail.get("champion_digest")
    if not evidence or digest is None:
        return
    record = ledger.detectors.load(story.job.model, digest)
    losses = _losses_of_tenure(story, ledger, digest)
    if record is not None and len(losses) >= evidence["labels"]:
        figure = evidence_path(losses[: evidence["labels"]], evidence, record.state)
        page.plot(figure, "Up to what the job saw when it began.")


def _losses_of_tenure(story: Story, ledger: Ledger, digest: str) -> Sequence[RowLoss]:
    """Those that the champion's detector took, in their order, in the reign that the job ended or tried to."""
    history = [
        each
        for each in ledger.registry.history(story.job.model)
        if each.sequence <= story.detail.get("champion_sequence", 0)
    ]
    since = Tenure.of(digest, history).since
    return [each for each in ledger.losses.since(story.job.model, digest) if each.predicted_at >= since]


def _draw_test(page: Page, story: Story, _: Ledger) -> None:
    gate = story.detail.get("gate")
    if gate and gate.get("interval"):
        page.plot(gate_test(gate))


def _draw_recovery(page: Page, story: Story, ledger: Ledger) -> None:
    detail = story.detail
    if detail.get("report"):
        page.plot(recovery_points(detail["report"]))
    start = min(detail.get("train_from", story.job.created_at), story.job.created_at) - _BEFORE_SECONDS
    rows = {
        f"{role} {detail[key][:12]}": [
            each for each in ledger.losses.since(story.job.model, detail[key]) if each.predicted_at >= start
        ]
        for role, key in (("champion", "champion_digest"), ("challenger", "challenger_digest"))
        if key in detail
    }
    if any(rows.values()):
        page.plot(accuracy_path(rows, _marks(detail)))


def _marks(detail: Mapping[str, Any]) -> dict[str, float]:
    onset, alarm = detail.get("onset") or {}, detail.get("alarm") or {}
    found = {
        "likely change": onset.get("predicted_at"),
        "alarm": alarm.get("arrived_at"),
        "rows for training end": detail.get("train_until"),
        "swap": detail.get("promoted_at"),
    }
    return {name: float(at) for name, at in found.items() if at is not None}
