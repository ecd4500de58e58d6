"""The folders are imported by their literal names, so nothing else may take those names."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("evertune", "tune", "export", "serve", "monitoring", "retune", "cli", "examples", "benchmarks")
FRAMEWORKS = ("tensorflow", "torch", "keras", "keras_tuner", "sklearn", "optuna", "onnx")
_IMPORT_SERVER_AND_EXPORTER = f"""
import sys
import serve.service, serve.worker, monitoring.exporter
print([name for name in {FRAMEWORKS} if name in sys.modules])
"""


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_the_folder_of_this_checkout(room: str) -> None:
    file = importlib.import_module(room).__file__
    assert file is not None
    assert Path(file).resolve().parent == ROOT / room


def test_no_distribution_installs_a_module_of_that_name() -> None:
    # tf2onnx installs a folder "examples" without __init__.py: a namespace, over which our package wins everywhere.
    installed = packages_distributions()
    assert {room: installed[room] for room in ROOMS if room in installed and room != "examples"} == {}


def test_server_and_exporter_import_no_training_framework() -> None:
    command = [sys.executable, "-c", _IMPORT_SERVER_AND_EXPORTER]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
