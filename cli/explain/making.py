"""How the challenger came about: its rows, its trials, its precisions."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cli.explain.part import Part, count, span
from cli.explain.story import Story
from cli.tables import hyperparameters, kilobytes, milliseconds
from tune.record import TrialRecord

_SHOWN = 5  # trials


def data(story: Story) -> Part:
    """Which rows served for what; no row served twice."""
    detail, counts = story.detail, story.detail.get("counts", {})
    lines = []
    if "train" in counts:
        window = span(detail["train_from"], detail["train_until"])
        lines.append(f"Training: {count(counts['train'], 'labelled row')}, predicted {window}.")
    if "gate" in counts:
        window = span(detail["gate_from"], detail["gate_until"])
        lines.append(f"Test: {count(counts['gate'], 'labelled row')} newer than all of those, {window}.")
    report = detail.get("report")
    if report and "report" in counts:
        window = span(report["from"], report["until"])
        lines.append(f"Report: {count(counts['report'], 'labelled row')} newer still, {window}.")
    keys = ("train_from", "train_until", "gate_from", "gate_until")
    figures = {"counts": counts, **{key: detail[key] for key in keys if key in detail}}
    return Part("data", tuple(lines or ["No labelled rows were chosen."]), figures)


def trials(story: Story) -> Part:
    """What the search tried, the best first."""
    if story.study is None:
        return _without_study(story)
    records = sorted(story.study.trials, key=lambda each: each.score or -1.0, reverse=True)
    states = Counter(record.state for record in records)
    told = ", ".join(f"{number} {state}" for state, number in states.items())
    lines = [f"{count(len(records), 'trial')} in the study {story.detail['study']}: {told}."]
    lines += [_trial(record) for record in records[:_SHOWN]]
    return Part("trials", tuple(lines), {"study": story.detail["study"], "trials": [r.to_json() for r in records]})


def _without_study(story: Story) -> Part:
    chosen, name = story.detail.get("trial"), story.detail.get("study")
    if chosen is None:
        return Part("trials", ("The job did not come to a search.",), {"study": None, "trials": []})
    lines = (
        f"{count(story.detail['trials'], 'trial')} in the study {name}, whose folder is gone.",
        _trial(TrialRecord.from_json(chosen)) if "state" in chosen else f"Chosen: {chosen}",
    )
    return Part("trials", lines, {"study": name, "trials": [chosen]})


def _trial(record: TrialRecord) -> str:
    where = f"Trial {record.trial_id} ({record.origin}), {record.state}"
    if record.score is not None:
        cost = f"{milliseconds(record.latency_seconds)}, {kilobytes(record.size_bytes)}, {record.recipe}"
        where += f": accuracy {record.score:.4f}, {cost}"
    elif record.error:
        where += f": {record.error.strip().splitlines()[-1][:120]}"
    return f"{where}; {hyperparameters(record.hyperparameters)}"


def candidates(story: Story) -> Part:
    """The precisions of the challenger, and which of them ships."""
    attestation = story.attestation
    if attestation is None or "candidates" not in attestation:
        none = "challenger_digest" not in story.detail
        text = "No challenger was sealed." if none else "The challenger's attestation is not at hand."
        return Part("candidates", (text,), [])
    lines = [f"Challenger {story.detail['challenger_digest'][:12]} ships as {attestation['recipe']}."]
    lines += [_candidate(each) for each in attestation["candidates"]]
    return Part("candidates", tuple(lines), attestation["candidates"])


def _candidate(each: dict[str, Any]) -> str:
    if each["accuracy"] is None:
        return f"{each['recipe']}: not shipped: {each['refused']}"
    cost = f"{milliseconds(each['latency_seconds'].get('1'))}, {kilobytes(each['size_bytes'])}"
    refused = f"; not shipped: {each['refused']}" if each["refused"] else ""
    return f"{each['recipe']}: accuracy {each['accuracy']:.4f}, {cost}{refused}"
