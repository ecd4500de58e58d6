"""The table as a page of the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.coverage.cell import CELLS, DOMAINS, FRAMEWORKS, Cell

_HEAD = """\
# Coverage

Each cell was really run: search, export, server, 200 rows with their labels, then 700 whose labels had turned round
(each class is called by the name of the next; in the ranking all choose one rare film), the exporter's evidence, the
re-tune with its test on newer rows, the swap, and 200 rows more. Budgets are as small as they can be (2 trials of 3
epochs), so figures say that a road holds, not how good a model can be. Made by

    EVERTUNE_DATA=... python -m benchmarks.coverage

on {cpu}, {cores} cores, Python {python}. Data: Fashion-MNIST (image), SMS Spam (text), NOAA weather (tabular),
MovieLens 100K (recommendation), as in [examples](examples.md).
"""


def page(found: Mapping[str, Mapping[str, Any]], machine: Mapping[str, Any]) -> str:
    """Markdown.

    Args:
        found: What `walk` gave, or {"error": text}, by the cell's name; cells that were not run are missing.
        machine: Of `benchmarks._machine`.
    """
    parts = [
        _HEAD.format(**machine),
        "## What ships\n\nMetric of the shipped artifact on rows that the search never saw, with its 95% interval; "
        "precision; size; latency of one row; largest difference from the trained model.\n",
        _table(found, _ships),
        "## After the drift\n\nScore (1 - mean bounded loss) of the live rows before the turn, after it, and after "
        "the re-tune; evidence as a multiple of the alarm's line; how the re-tune ended.\n",
        _table(found, _loop),
    ]
    empty = [f"- {cell.framework}, {cell.domain}: {cell.reason}." for cell in CELLS if cell.reason]
    return "\n".join([*parts, "## Empty cells\n", *empty, ""])


def _table(found: Mapping[str, Mapping[str, Any]], show: Any) -> str:
    lines = [f"| | {' | '.join(DOMAINS)} |", f"|---{'|---' * len(DOMAINS)}|"]
    for framework in FRAMEWORKS:
        cells = [_cell(found, Cell(framework, domain), show) for domain in DOMAINS]
        lines.append(f"| {framework} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cell(found: Mapping[str, Mapping[str, Any]], cell: Cell, show: Any) -> str:
    result = found.get(cell.name)
    if cell.reason is not None:
        return "- (see below)"
    if result is None:
        return "not run"
    return "**failed**" if "error" in result else str(show(result))


def _ships(result: Mapping[str, Any]) -> str:
    interval = result["value"]["interval"]
    name = result["metric"].replace("_", " ")
    return "<br>".join(
        (
            f"{name} {result['value']['value']:.3f} [{interval['lower']:.3f}, {interval['upper']:.3f}]",
            f"{result['recipe']}, {result['size_bytes'] / 1000:.0f} kB",
            f"{result['latency_seconds'] * 1000:.3f} ms, {result['parity_absolute']:.0e}",
        )
    )


def _loop(result: Mapping[str, Any]) -> str:
    scores = ", ".join(f"{result[when]:.3f}" for when in ("before", "during", "after"))
    return f"{scores}<br>evidence {result['evidence_to_threshold_ratio']:.1f}<br>{result['outcome']}"
