"""The picture that `evertune status` draws for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cli.output import local_time

if TYPE_CHECKING:
    from rich.console import RenderableType


def print_status(found: dict[str, Any]) -> None:
    """Prints what `evertune status --json` would hold."""
    from rich.console import Console

    Console().print(draw_status(found))


def draw_status(found: dict[str, Any], rates: Mapping[str, str] | None = None) -> RenderableType:
    """A table a model.

    Args:
        found: As `evertune status --json` has it.
        rates: What a model did since the look before, by its name.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from cli.searches import draw_found
    from retune.foreign import waiting_line

    drawn: list[RenderableType] = [Text.assemble((found["project"], "bold"), f"  task {found['task']}")]
    if not found["models"]:
        drawn.append(Text("No model was promoted yet: run `evertune tune`, then `evertune export --promote`."))
    for model in found["models"]:
        table = Table(title=Text(model["model"]), show_header=False, title_justify="left")
        now = (rates or {}).get(model["model"])
        for name, value in [*_lines(model), *([("now", now)] if now else [])]:
            table.add_row(Text(name), Text(value, "bold red" if value.startswith("ALARM") else ""))
        drawn.append(table)
    drawn += [Text(waiting_line(model, count), "yellow") for model, count in found["waiting"].items()]
    for each in found["schedules"]:
        when = "never again" if each["next_at"] is None else f"next at {local_time(each['next_at'])}"
        drawn.append(Text(f"schedule {each['name']}: {each['cron']} ({each['timezone']}), {when}"))
    drawn.append(Text(f"studies: {', '.join(found['studies']) or 'none'}"))
    drawn += [draw_found(search) for search in found["searches"] if not search["finished"]]
    return Group(*drawn)


def _lines(model: dict[str, Any]) -> list[tuple[str, str]]:
    champion = model["champion"]
    lines = [
        ("champion", f"{champion['digest'][:12]} since {local_time(champion['decided_at'])}"),
        ("reason", f"{champion['reason']} (by {champion['actor']})"),
        ("reference", _reference(model["reference"])),
        ("live", _live(model["since_promotion"])),
        ("drift", _drift(model["evidence"])),
    ]
    lines += [("held", text) for text in _held(model["held"])]
    lines += [(f"request {each['id']}", _request(each)) for each in model["requests"]]
    return lines + [(f"job {each['id']}", _job(each)) for each in model["jobs"]]


def _held(held: dict[str, str | None]) -> list[str]:
    """One line where the same holds both."""
    if held["starts"] is not None and held["starts"] == held["promotions"]:
        return [held["starts"]]
    return [f"{what} wait: {text}" for what, text in held.items() if text is not None]


def _request(request: dict[str, Any]) -> str:
    waits = ", waits:" if request["status"] == "open" and request["reason"] else ""
    return f"{request['trigger']}: {request['status']}{waits} {request['reason']}"


def _job(job: dict[str, Any]) -> str:
    detail = job["detail"]
    if job["status"] != "awaiting":
        return f"{job['status']} in {job['phase'] or 'no phase yet'} {detail.get('reason', '')}"
    hint = f": evertune approve {job['id']}" if detail["awaiting"] == "approval" else ""
    return f"awaiting {detail['awaiting']} until {local_time(detail['awaiting_until'])}{hint}"


def _reference(reference: dict[str, Any] | str) -> str:
    if isinstance(reference, str):
        return reference
    accuracy, bound = 1 - reference["loss_mean"], 1 - reference["loss_upper_bound"]
    return f"accuracy {accuracy:.3f}, at least {bound:.3f}, on {reference['rows']} rows the search never saw"


def _live(window: dict[str, Any]) -> str:
    if not window["predicted_rows"]:
        return "no predictions yet"
    text = f"{window['predicted_rows']} rows predicted, mean confidence {window['mean_confidence']:.3f}"
    if window["accuracy"] is None:
        return f"{text}; no labels yet"
    return f"{text}; accuracy {window['accuracy']:.3f} on {window['labelled_rows']} labelled rows"


def _drift(evidence: dict[str, Any] | None) -> str:
    if evidence is None:
        return "no evidence yet: labels, and `evertune monitor`, are what it comes from"
    state = "ALARM" if evidence["alarmed"] else "quiet"
    weighed = f"10^{evidence['log10_evidence']:.1f} of 10^{evidence['log10_threshold']:.1f}"
    return f"{state}: evidence {weighed} after {evidence['labels']} labels"
