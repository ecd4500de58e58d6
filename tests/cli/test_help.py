"""Help is quick, complete, and the same as what the README promises."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.key_command import app as key_app
from cli.labels_command import app as labels_app
from cli.main import app
from cli.report_command import app as report_app

Run = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [command.name for command in app.registered_commands if command.name]
GROUPS = {"key": key_app, "labels": labels_app, "report": report_app}
GROUP_COMMANDS = [
    [name, command.name or getattr(command.callback, "__name__", "")]
    for name, group in GROUPS.items()
    for command in group.registered_commands
]
_HELP_THEN_MODULES = """
import sys
sys.argv = ["evertune", "--help"]
from cli.main import main
try:
    main()
finally:
    print("MODULES", *sorted({name.partition(".")[0] for name in sys.modules}))
"""
HEAVY = {
    *("numpy", "scipy", "pydantic", "sqlalchemy", "onnxruntime", "bentoml", "starlette", "httpx", "plotly"),
    *("torch", "tensorflow", "keras", "keras_tuner", "sklearn", "optuna", "onnx", "matplotlib"),
}


def test_help_imports_nothing_heavy() -> None:
    command = [sys.executable, "-c", _HELP_THEN_MODULES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert all(name in done.stdout for name in [*COMMANDS, *GROUPS])
    modules = set(done.stdout.partition("MODULES")[2].split())
    assert "typer" in modules
    assert modules & HEAVY == set()


@pytest.mark.parametrize("arguments", [*([name] for name in COMMANDS), *GROUP_COMMANDS])
def test_every_command_explains_itself_with_an_example(run: Run, arguments: list[str]) -> None:
    done = run(*arguments, "--help")
    assert done.code == 0
    assert re.search(rf"Example:\s+evertune\s+{' '.join(arguments)}", done.out), done.out


def test_readme_names_every_command_and_no_other() -> None:
    named = set(re.findall(r"\bevertune ([a-z]+)\b", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named == {*COMMANDS, *GROUPS}
