"""The command line's entry."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli import (
    alias_command,
    approve_command,
    compare_command,
    demo_command,
    doctor_command,
    explain_command,
    export_command,
    init_command,
    inspect_command,
    key_command,
    labels_command,
    measure_command,
    monitor_command,
    pause_command,
    promote_command,
    reject_command,
    report_command,
    resume_command,
    retune_command,
    rollback_command,
    serve_command,
    sign_command,
    status_command,
    tune_command,
    up_command,
)
from evertune import __version__
from evertune.errors import EvertuneError

app = typer.Typer(
    name="evertune",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # an unexpected error is a bug: its plain traceback is what a report needs
    help="Keeps a deployed model in tune: search, export, serve, watch, re-tune.",
    epilog="Start with: evertune init my-model",
)
# In the order in which they are used.
_COMMANDS = (
    ("init", init_command.init, "evertune init my-model"),
    ("tune", tune_command.tune, "evertune tune --max-trials 20"),
    ("export", export_command.export, "evertune export --promote"),
    ("inspect", inspect_command.inspect, "evertune inspect 4f0c2a9be1d7 --json"),
    ("compare", compare_command.compare, "evertune compare shoes 4f0c2a9be1d7"),
    ("measure", measure_command.measure, "evertune measure 4f0c2a9be1d7 --target cuda"),
    ("serve", serve_command.serve, "evertune serve --port 3000"),
    ("monitor", monitor_command.monitor, "evertune monitor"),
    ("retune", retune_command.retune, 'evertune retune --now --reason "new camera"'),
    ("up", up_command.up, "evertune up --no-prometheus"),
    ("approve", approve_command.approve, 'evertune approve 7 --reason "figures look right"'),
    ("reject", reject_command.reject, 'evertune reject 7 --reason "wait for the new camera"'),
    ("pause", pause_command.pause, 'evertune pause --for 2h --reason "stocktaking"'),
    ("resume", resume_command.resume, "evertune resume"),
    ("promote", promote_command.promote, "evertune promote 4f0c2a9be1d7"),
    ("alias", alias_command.alias, "evertune alias 4f0c2a9be1d7"),
    ("sign", sign_command.sign, "evertune sign 4f0c2a9be1d7"),
    ("rollback", rollback_command.rollback, 'evertune rollback --reason "complaints"'),
    ("status", status_command.status, "evertune status --json"),
    ("explain", explain_command.explain, "evertune explain 3"),
    ("doctor", doctor_command.doctor, "evertune doctor --json"),
    ("demo", demo_command.demo, "evertune demo --seed 1"),
)
for _name, _command, _example in _COMMANDS:
    app.command(_name, epilog=f"Example: {_example}")(_command)
app.add_typer(report_command.app, name="report", epilog="Example: evertune report study --open")
app.add_typer(labels_command.app, name="labels", epilog="Example: evertune labels import truth.csv")
app.add_typer(key_command.app, name="key", epilog='Example: evertune key create "shop frontend" --role predict')


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


def main() -> None:
    """Runs the command line. An error raised on purpose becomes a message, a fix and its own exit code."""
    try:
        app()
    except EvertuneError as error:
        from cli.output import print_error

        print_error(error, as_json="--json" in sys.argv[1:])
        sys.exit(error.exit_code)
