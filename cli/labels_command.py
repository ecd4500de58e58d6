"""`evertune labels`: true labels in bulk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Json, Model

if TYPE_CHECKING:
    from cli.labels.entry import Columns
    from cli.labels.findings import Findings
    from evertune.ledger import LabelReceipt, Ledger
    from evertune.settings import Project

app = typer.Typer(no_args_is_help=True, help="Import labels from a file, or export labelled rows to one.")
_FORMATS = ".csv, .tsv, .jsonl or .parquet"
Dry = Annotated[bool, typer.Option("--dry-run", help="Check and count; store nothing.")]


@app.command("import", epilog="Example: evertune labels import truth.csv --label-column defect")
def import_labels(
    file: Annotated[Path, typer.Argument(help=f"{_FORMATS}: one label a line.")],
    id_column: Annotated[str, typer.Option("--id-column", help="Holds the ids that predictions returned.")] = "id",
    label_column: Annotated[str, typer.Option("--label-column", help="Holds class names, or indices.")] = "label",
    time_column: Annotated[
        str | None,
        typer.Option("--time-column", help="Store in the order of these times, not of the lines. ISO 8601 or seconds."),
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Rankings with a horizon: labels of whole rows, not clicks.")
    ] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Store the good lines of a file with bad ones.")] = False,
    dry_run: Dry = False,
    json_output: Json = False,
) -> None:
    """Import true labels of earlier predictions.

    The whole file is checked first: a line that is malformed, names an unknown prediction or an unknown class refuses
    it, and nothing is stored. Labels known already change nothing, so an import that was killed is simply run again;
    another label for a row is a correction, kept beside the old one.

    Exit code 2: the file was refused.
    """
    from cli.labels.entry import Columns
    from cli.output import print_json
    from evertune.ledger import Ledger
    from evertune.settings import load_project

    project, columns = load_project(), Columns(id_column, label_column, time_column, final)
    with Ledger.open(project.ledger_url) as ledger:
        findings, receipt = _import(project, ledger, file, columns, skip_bad=skip_bad, dry_run=dry_run)
    if json_output:
        print_json(_summary(findings, receipt, dry_run=dry_run))
    else:
        _print(findings, receipt, dry_run=dry_run)
    if receipt is None:
        raise typer.Exit(2)


@app.command("export", epilog="Example: evertune labels export labelled.parquet")
def export_labels(
    file: Annotated[Path, typer.Argument(help=f"{_FORMATS.replace(' .tsv,', '')}; replaced where it exists.")],
    model: Model = None,
    json_output: Json = False,
) -> None:
    """Export labelled rows with prediction, newest label, confidence and times, in the order of prediction.

    The file can be imported again. Inputs are not in it.
    """
    from cli.labels.exporter import labelled_pages, write_labels
    from cli.labels.meanings import Meanings
    from cli.labels.progress import counting
    from cli.models import the_model
    from cli.output import print_json
    from evertune.bundle import BundleStore
    from evertune.ledger import Ledger
    from evertune.settings import load_project

    project = load_project()
    with Ledger.open(project.ledger_url) as ledger, counting("exporting") as advance:
        name = the_model(ledger, model)
        pages = labelled_pages(ledger, name, Meanings(BundleStore.of(project)))
        rows = write_labels(file, pages, advance)
    if json_output:
        print_json({"model": name, "rows": rows, "file": str(file)})
    else:
        print(f"{rows} labelled rows of {name} in {file}.")


def _import(
    project: Project, ledger: Ledger, file: Path, columns: Columns, *, skip_bad: bool, dry_run: bool
) -> tuple[Findings, LabelReceipt | None]:
    """What was found, and what was stored: None where the file is refused."""
    from cli.labels.importer import check, rehearse, store
    from cli.labels.meanings import Meanings
    from cli.labels.progress import counting
    from cli.labels.sources import read_entries
    from cli.labels.staging import Staging
    from cli.output import actor
    from evertune.bundle import BundleStore

    meanings = Meanings(BundleStore.of(project))
    with Staging() as staging:
        with counting("checking") as advance:
            findings = check(read_entries(file, columns), ledger, meanings, staging, advance)
        if findings.bad and not skip_bad:
            return findings, None
        if dry_run:
            return findings, rehearse(staging, ledger, columns)
        with counting("storing", staging.rows) as advance:
            return findings, store(staging, ledger, f"import:{actor()}"[:64], advance, columns)


def _summary(findings: Findings, receipt: LabelReceipt | None, *, dry_run: bool) -> dict[str, Any]:
    stored = {"accepted": 0, "unchanged": 0, "corrected": 0} if receipt is None else receipt.to_json()
    first = {"first": findings.first} if findings.first else {}
    return {
        "lines": findings.lines,
        **stored,
        **findings.counts,
        **first,
        "stored": receipt is not None and not dry_run,
        "dry_run": dry_run,
    }


def _print(findings: Findings, receipt: LabelReceipt | None, *, dry_run: bool) -> None:
    import sys

    from rich.console import Console

    from cli.tables import plain_table

    summary = _summary(findings, receipt, dry_run=dry_run)
    counts = tuple(receipt.to_json()) if receipt is not None else ()
    table = plain_table(f"{findings.lines} lines", ("",), ("lines",))
    for name in (*counts, *findings.counts):
        table.add_row(name.replace("_", " "), str(summary[name]))
    Console().print(table)
    for kind, lines in findings.first.items():
        for each in lines:
            print(f"{kind.replace('_', ' ')}, line {each['line']}: {each['why']}", file=sys.stderr)
    if receipt is None:
        print("error: the file is refused; nothing was stored", file=sys.stderr)
        print("  fix: Correct these lines, or add --skip-bad to store the others.", file=sys.stderr)
    elif dry_run:
        print("A dry run: nothing was stored.")
