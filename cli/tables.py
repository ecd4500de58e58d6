"""Tables of trials and candidates, the same in every command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from tune.record import TrialRecord


def trials_table(records: Iterable[TrialRecord], *, title: str) -> Table:
    """What each trial would ship, in the given order."""
    table = Table(title=title, title_justify="left")
    for name in ("trial", "state"):
        table.add_column(name)
    for name in ("accuracy", "latency", "size", "precision", "epochs"):
        table.add_column(name, justify="right")
    table.add_column("hyperparameters", overflow="fold", ratio=1)
    for record in records:
        table.add_row(
            record.trial_id,
            record.state,
            ratio(record.score),
            milliseconds(record.latency_seconds),
            kilobytes(record.size_bytes),
            record.recipe or "",
            str(record.epochs),
            hyperparameters(record.hyperparameters),
        )
    return table


def candidates_table(attestation: Mapping[str, Any]) -> Table:
    """The precisions of a bundle, the shipped one marked, with why the others were not."""
    table = Table(title=f"precisions, on {attestation['validation_rows']} validation rows", title_justify="left")
    table.add_column("")
    table.add_column("recipe")
    for name in ("accuracy", "loss added (95%)", "latency, 1 row", "size"):
        table.add_column(name, justify="right")
    table.add_column("not shipped because", overflow="fold", ratio=1)
    for each in attestation["candidates"]:
        table.add_row(
            "->" if each["recipe"] == attestation["recipe"] else "",
            each["recipe"],
            ratio(each["accuracy"]),
            _interval(each["difference"]),
            milliseconds(each["latency_seconds"].get("1")),
            kilobytes(each["size_bytes"]),
            each["refused"] or "",
        )
    return table


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
