"""The table of frameworks and domains; `.ci/run` runs its cells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks._machine import machine
from benchmarks.coverage.cell import CELLS, DOMAINS, FRAMEWORKS, Cell
from benchmarks.coverage.page import page
from benchmarks.coverage.settings import make_project
from evertune.loading import load_task

ROOT = Path(__file__).resolve().parents[2]
_RESULT: dict[str, Any] = {
    "recipe": "int8-dynamic",
    "metric": "ndcg_at_10",
    "value": {"value": 0.0512, "interval": {"lower": 0.047, "upper": 0.055}},
    "size_bytes": 81_400,
    "latency_seconds": 4.2e-5,
    "parity_absolute": 1.2e-7,
    **{"before": 0.9, "during": 0.1, "after": 0.8},
    "evidence_to_threshold_ratio": 5.56,
    "outcome": "promoted",
}


def test_every_framework_meets_every_domain_and_what_is_empty_has_a_reason() -> None:
    assert {(cell.framework, cell.domain) for cell in CELLS} == {(f, d) for f in FRAMEWORKS for d in DOMAINS}
    assert all(len(cell.reason) > 20 for cell in CELLS if cell.reason is not None)
    assert sum(cell.reason is None for cell in CELLS) >= 14


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.reason is None], ids=lambda cell: cell.name)
def test_the_task_of_a_cell_loads(cell: Cell, tmp_path: Path) -> None:
    if not os.environ.get("EVERTUNE_DATA"):
        pytest.skip("EVERTUNE_DATA is not set")
    project = make_project(tmp_path, cell)
    assert project.settings.tune.backend == cell.backend
    task = load_task(project.settings.project.task, project.root)
    assert (task.kind == "ranking") == (cell.domain == "recommendation")


def test_the_page_shows_results_failures_and_what_was_not_run() -> None:
    ran, failed, *others = [cell for cell in CELLS if cell.reason is None]
    text = page({ran.name: _RESULT, failed.name: {"error": "no"}}, machine())
    shown = "ndcg at 10 0.051 [0.047, 0.055]<br>int8-dynamic, 81 kB<br>0.042 ms, 1e-07"
    assert text.count(shown) == 1
    assert text.count("0.900, 0.100, 0.800<br>evidence 5.6<br>promoted") == 1
    assert text.count("**failed**") == 2
    assert text.count("not run") == 2 * len(others)
    for cell in CELLS:
        assert cell.reason is None or f"- {cell.framework}, {cell.domain}: {cell.reason}." in text


def test_an_unknown_cell_is_refused_with_the_known_ones() -> None:
    command = [sys.executable, "-m", "benchmarks.coverage", "--only", "jax.image"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "jax.image" in done.stderr
    assert "torch.tabular" in done.stderr


def test_the_committed_page_has_every_cell() -> None:
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert "not run" not in text
    assert "**failed**" not in text
    assert json.dumps(text).count("promoted") >= 10
