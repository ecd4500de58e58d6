"""`evertune doctor`: what is wrong here, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from cli.options import Json

if TYPE_CHECKING:
    from cli.doctor.finding import Finding

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(json_output: Json = False) -> None:
    """Examine this machine and this project: what is missing or wrong, and the command that mends it.

    Versions and whether they fit, GPU and its libraries, programs, settings, folders, ports, keys, ledger, clock,
    champions. It changes nothing. Outside a project it examines the machine alone.

    Exit code 1: there is a problem.
    """
    from cli.doctor.examine import examine
    from cli.output import print_json

    findings = list(examine())
    if json_output:
        print_json({"findings": [each.to_json() for each in findings], **_counts(findings)})
    else:
        _print(findings)
    raise typer.Exit(1 if any(each.state == "problem" for each in findings) else 0)


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    return {f"{state}s": sum(each.state == state for each in findings) for state in ("problem", "warning")}


def _print(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in findings:
        table.add_row(Text(each.state, _STYLES[each.state]), Text(each.area), Text(each.text))
        if each.fix is not None:
            table.add_row("", "", Text(f"-> {each.fix}", "bold"))
    console = Console()
    console.print(table)
    counts = _counts(findings)
    console.print(f"\nproblems: {counts['problems']}, warnings: {counts['warnings']}", highlight=False)
