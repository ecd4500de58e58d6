"""The live table: it looks again, survives a ledger that is away, and ends with Ctrl-C."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from cli.status_command import look_at
from cli.status_watch import rates, watch_status
from evertune.errors import LedgerError
from evertune.ids import new_request_id
from evertune.ledger import Ledger, Prediction
from evertune.settings import Project

Run = Callable[..., Any]
Seal = Callable[[float], str]
ROOT = Path(__file__).resolve().parents[2]


class Stopwatch:
    """Sleeps by doing what shall happen meanwhile; after the last it is Ctrl-C."""

    def __init__(self, *meanwhile: Callable[[], object]) -> None:
        self._meanwhile = list(meanwhile)
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self._meanwhile:
            raise KeyboardInterrupt
        self._meanwhile.pop(0)()


def watched(look: Callable[[], dict[str, Any]], *meanwhile: Callable[[], object]) -> str:
    """All that was drawn, one look below the other."""
    out, sleep = io.StringIO(), Stopwatch(*meanwhile)
    watch_status(look, 2.0, console=Console(file=out, force_terminal=True, width=80, color_system=None), sleep=sleep)
    assert sleep.slept == [2.0] * (len(meanwhile) + 1)
    return out.getvalue()


def test_every_look_is_fresh(run: Run, project: Project, seal: Seal) -> None:
    first, second = seal(1.0), seal(2.0)

    def predict() -> None:
        with Ledger.open(project.ledger_url) as ledger:
            outputs = {"probabilities": np.array([[0.2, 0.8]] * 7, np.float32)}
            confidence = np.full(7, 0.8, np.float32)
            ledger.predictions.add_many(
                [Prediction(new_request_id(), "shoes", second, ledger.clock(), outputs, confidence)]
            )

    text = watched(look_at(project), lambda: run("promote", first), lambda: run("promote", second), predict)
    assert text.index("No model was promoted yet") < text.index(first[:12]) < text.index(second[:12])
    assert text.index("no predictions yet") < text.index("7 rows predicted")
    assert "rows predicted a second" in text


def test_a_ledger_that_is_away_is_told_and_looked_for_again(run: Run, project: Project, seal: Seal) -> None:
    run("promote", seal(1.0))
    look, looks = look_at(project), []

    def shaky() -> dict[str, Any]:
        looks.append(1)
        if len(looks) == 2:
            raise LedgerError("the ledger does not answer: gone fishing")
        return look()

    text = watched(shaky, lambda: None, lambda: None)
    assert text.count("gone fishing") == 1
    before, after = text.split("gone fishing")
    assert "Ctrl-C ends" in before
    assert "Ctrl-C ends" in after


def test_rates_start_anew_with_a_champion() -> None:
    def look(at: float, sequence: int, rows: int) -> dict[str, Any]:
        window = {"predicted_rows": rows, "labelled_rows": rows // 2}
        return {"at": at, "models": [{"model": "m", "champion": {"sequence": sequence}, "since_promotion": window}]}

    assert rates(None, look(1.0, 1, 5)) == {}
    assert rates(look(0.0, 1, 500), look(4.0, 2, 3)) == {}
    assert rates(look(4.0, 1, 5), look(4.0, 1, 5)) == {}
    assert rates(look(0.0, 1, 0), look(4.0, 1, 8)) == {"m": "2.0 rows predicted a second, 1.0 labels a second"}


def test_watch_and_json_exclude_each_other(run: Run, project: Project) -> None:
    assert run("status", "--watch", "--json").code == 2


def test_ctrl_c_on_a_terminal_ends_it_well(project: Project) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from cli.main import main; main()", "status", "--watch", "--interval", "0.2"]
    child = subprocess.Popen(
        command,
        cwd=project.root,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # As in a terminal: a shell starts its background jobs, this run perhaps among them, with Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    text = b""
    while text.count(b"Ctrl-C ends") < 2:  # it has drawn, and drawn again
        text += os.read(ours, 65536)
    child.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # the end of a terminal; unread, it would fill and hold the child up
        while more := os.read(ours, 65536):
            text += more
    assert child.wait(timeout=30) == 0
    os.close(ours)
    assert b"Traceback" not in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [("evertune st", "status"), ("evertune report ", "evaluation"), ("evertune labels import --dry", "--dry-run")],
)
def test_the_shell_completes_commands_and_options(words: str, expected: str) -> None:
    parts = words.split(" ")
    asked = {"_EVERTUNE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(parts) - 1)}
    program = "import sys; sys.argv[0] = 'evertune'; from cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert expected in done.stdout.split()
    assert done.stderr == ""
