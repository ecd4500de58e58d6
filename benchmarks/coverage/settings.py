"""The project of a cell: budgets as small as the loop allows."""

from __future__ import annotations

from pathlib import Path

from benchmarks.coverage.cell import Cell
from cli.demo.project import free_ports
from evertune.settings import Project, load_project

TRAIN_LABELS, GATE_LABELS = 500, 200
_SETTINGS = """\
[project]
task = "{task}"
[tune]
backend = "{backend}"
max_trials = 2
max_epochs = 3
workers = 1
[limits]
latency_seconds = 0.05
size_bytes = 20_000_000
[serve]
port = {port}
require_keys = false
[monitor]
port = {metrics}
run_length_labels = 1000
tolerance = 0.005
[retune]
port = 0
poll_seconds = 0.2
min_train_labels = {train}
min_gate_labels = {gate}
min_report_labels = 0
report_wait_seconds = 0
gate_wait_seconds = 300
cooldown_seconds = 0
max_trials = 2
max_epochs = 16
"""


def make_project(folder: Path, cell: Cell) -> Project:
    """Writes the settings; ports are free ones."""
    folder.mkdir(parents=True, exist_ok=True)
    port, metrics = free_ports(2)
    text = _SETTINGS.format(
        task=cell.task, backend=cell.backend, port=port, metrics=metrics, train=TRAIN_LABELS, gate=GATE_LABELS
    )
    (folder / "evertune.toml").write_text(text)
    return load_project(folder)
