"""What a user does wrong gets a message, a fix and its own exit code; a program gets JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evertune.settings import Project

Run = Callable[..., Any]


def test_outside_a_project(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("status")
    assert (done.code, done.out) == (3, "")
    assert "no evertune.toml" in done.err
    assert "fix: Run `evertune init NAME`" in done.err


def test_json_errors_are_for_programs(run: Run, project: Project) -> None:
    (project.root / "evertune.toml").write_text("[serve]\nprot = 1\n")
    done = run("status", "--json")
    assert (done.code, done.err) == (3, "")
    assert done.json()["code"] == "bad_settings"
    assert done.json()["fix"] == "Did you mean serve.port?"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["promote", "0" * 64], 7, "0000"),
        (["rollback"], 2, "no model was promoted yet"),
        (["rollback", "--model", "hats"], 2, "'hats' was never promoted"),
        (["retune", "--now"], 2, "no model was promoted yet"),
        (["retune", "--reason", "because"], 2, "--reason: only a request takes that"),
        (["retune", "--once", "--model", "x"], 2, "--model: only a request takes that"),
        (["key", "revoke", "nobody"], 2, "there is no key 'nobody'"),
        (["key", "create", "shop", "--role", "king"], 2, "king"),
        (["export", "--study", "never-run"], 8, "never-run"),
        (["no-such-command"], 2, "No such command"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_mistakes(run: Run, project: Project, arguments: list[str], exit_code: int, message: str) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (exit_code, "")
    assert message in done.err
    assert "Traceback" not in done.err
