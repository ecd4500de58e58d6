"""Tables of trials and candidates, the same in every command; none is wider than 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tune.record import TrialRecord


def plain_table(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    """An empty table without a frame; the columns in `right` hold figures."""
    table = Table(
        title=Text(title, no_wrap=True, overflow="ignore"),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right")
    return table


def trials_table(records: Iterable[TrialRecord], *, title: str) -> Table:
    """What each trial would ship, in the given order."""
    table = plain_table(title, ("trial", "state", "precision"), ("accuracy", "latency", "size", "epochs"))
    for record in records:
        table.add_row(
            record.trial_id,
            record.state,
            record.recipe or "",
            ratio(record.score),
            milliseconds(record.latency_seconds),
            kilobytes(record.size_bytes),
            str(record.epochs),
        )
    return table


def settings_of(records: Iterable[TrialRecord]) -> RenderableType:
    """The hyperparameters of trials, one paragraph each."""
    return Group(*(Text(f"trial {each.trial_id}: {hyperparameters(each.hyperparameters)}") for each in records))


def candidates_table(attestation: Mapping[str, Any]) -> RenderableType:
    """The precisions of a bundle, the shipped one marked; below, why the others do not ship."""
    title = f"precisions, on {attestation['validation_rows']} validation rows"
    table = plain_table(title, ("", "recipe"), ("accuracy", "loss added, 95%", "1 row", "size"))
    for each in attestation["candidates"]:
        table.add_row(
            "->" if each["recipe"] == attestation["recipe"] else "",
            each["recipe"],
            ratio(each["accuracy"]),
            _interval(each["difference"]),
            milliseconds(each["latency_seconds"].get("1")),
            kilobytes(each["size_bytes"]),
        )
    refused = [each for each in attestation["candidates"] if each["refused"]]
    return Group(table, *(Text(f"not {each['recipe']}: {each['refused']}") for each in refused))


def hyperparameters(values: Mapping[str, Any]) -> str:
    """One line of names and values.

    Example:
        >>> hyperparameters({"family": "cnn", "learning_rate": 0.00123456})
        'family=cnn learning_rate=0.00123'
    """
    return " ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}" for name, value in values.items()
    )


def ratio(value: float | None) -> str:
    """An accuracy, or nothing."""
    return "" if value is None else f"{value:.4f}"


def milliseconds(seconds: float | None) -> str:
    """A latency, or nothing."""
    return "" if seconds is None else f"{seconds * 1e3:.3f} ms"


def kilobytes(size_bytes: int | None) -> str:
    """A file size, or nothing."""
    return "" if size_bytes is None else f"{size_bytes / 1e3:.0f} kB"


def _interval(value: Mapping[str, Any] | None) -> str:
    return "" if value is None else f"[{value['lower']:+.4f}, {value['upper']:+.4f}]"
