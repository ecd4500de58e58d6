"""A comparison for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from cli.tables import kilobytes, milliseconds, plain_table


def comparison_text(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What `comparison` gave: a table, then what cannot be shown side by side."""
    one, two = found["a"], found["b"]
    title = f"{found['model']}: two bundles on the same {found['rows']['count']} rows"
    table = plain_table(title, ("", "A", "B"), ("B to A",))
    table.add_row("digest", one["digest"][:12], two["digest"][:12], "same" if one["digest"] == two["digest"] else "")
    table.add_row("recipe", one["recipe"], two["recipe"])
    table.add_row("size", kilobytes(one["model_bytes"]), kilobytes(two["model_bytes"]), f"x {found['size_ratio']:.2f}")
    if found["loss"]:
        loss = found["loss"]
        table.add_row("mean loss", f"{loss['a']:.4f}", f"{loss['b']:.4f}", f"{loss['difference']:+.4f}")
    for batch, each in found["latency"].items():
        seconds = (milliseconds(each["a_seconds"]), milliseconds(each["b_seconds"]))
        table.add_row(f"{batch} rows" if batch != "1" else "1 row", *seconds, f"x {each['ratio']:.2f}")
    yield table
    yield Text("\n".join(_sentences(found)))


def _sentences(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"rows: {found['rows']['from']}"
    if found["loss"]:
        interval = found["loss"]["interval"]
        yield f"loss of B minus A: [{interval['lower']:+.4f}, {interval['upper']:+.4f}], 95%, on the same rows"
        yield _verdict(interval["lower"], interval["upper"])
    else:
        yield "golden rows have no labels: which of the two is better cannot be told from them"
    answers = found["answers"]
    if answers["agreement_ratio"] is not None:
        yield f"same decision on {answers['agreement_ratio']:.2%} of the rows"
    yield f"answers differ by {answers['largest_difference']:.3g} at most, {answers['mean_difference']:.3g} on average"
    rounds = f"{found['rounds']} rounds" if found["rounds"] > 1 else "one round"
    yield f"latency: {rounds}, both in turn, on this machine's CPU; the ratio is the median over rounds"
    if found["hyperparameters"]:
        yield "hyperparameters that differ:"
    for name, (one, two) in found["hyperparameters"].items():
        yield f"  {name}: {_shown(one)} and {_shown(two)}"


def _verdict(lower: float, upper: float) -> str:
    if upper < 0:
        return "B is better"
    return "A is better" if lower > 0 else "neither is shown to be better"


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
