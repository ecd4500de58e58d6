from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from evertune.errors import SettingsError
from evertune.ledger import Ledger
from evertune.settings import MonitorSettings
from monitoring.exporter import Exporter

World = Any  # of conftest.py

_RUN = "from evertune.settings import load_project; from monitoring.exporter import run; run(load_project())"


def wait_until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def test_labels_are_evaluated_and_shown_while_it_runs(world: World) -> None:
    bundle = world.bundle()
    world.promote(bundle)
    settings = MonitorSettings(port=0, interval_seconds=0.02)
    with Exporter(world.ledger, world.store, settings, world.clock) as exporter:
        url = f"http://127.0.0.1:{exporter.port}/metrics"
        world.label(world.predict(bundle, 25), wrong=0.0)
        wait_until(lambda: 'evertune_labels_received_total{model="fashion"} 25.0' in httpx.get(url).text)
        assert exporter.evaluated_at == {"fashion": world.clock.now}
        assert 'evertune_monitor_last_evaluation_timestamp_seconds{model="fashion"} 1.8e+09' in httpx.get(url).text
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_one_broken_model_does_not_stop_the_others(world: World) -> None:
    bundle = world.bundle()
    world.ledger.registry.promote("broken", "f" * 64, reason="test", actor="test")
    world.promote(bundle)
    world.label(world.predict(bundle, 5), wrong=0.0)
    exporter = Exporter(world.ledger, world.store, MonitorSettings(port=0), world.clock)
    exporter.evaluate()
    assert exporter.errors == 1
    assert exporter.evaluated_at == {"fashion": world.clock.now}


def test_a_port_that_is_taken_is_named(world: World) -> None:
    with Exporter(world.ledger, world.store, MonitorSettings(port=0), world.clock) as first:
        settings = MonitorSettings(port=first.port)
        with pytest.raises(SettingsError, match=str(first.port)), Exporter(world.ledger, world.store, settings):
            pytest.fail("two listen on one port")


def test_the_process_ends_cleanly_when_asked(world: World, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".evertune").mkdir(parents=True)
    (project / "evertune.toml").write_text("[monitor]\nport = 0\n")
    with Ledger.open(f"sqlite:///{project / '.evertune' / 'ledger.db'}"):
        pass
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", f"import logging; logging.basicConfig(level='INFO'); {_RUN}"],
            cwd=project,
            stderr=output,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
    try:
        wait_until(lambda: "/metrics" in log.read_text() or process.poll() is not None, seconds=60)
        url = log.read_text().rsplit("http://")[-1].split()[0]
        assert "evertune_monitor_ledger_up 1.0" in httpx.get(f"http://{url}").text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()


def test_evaluator_and_exporter_import_no_training_framework() -> None:
    heavy = {"torch", "tensorflow", "keras", "sklearn", "bentoml", "onnxruntime", "onnx"}
    code = f"import sys, monitoring.exporter; print(sorted({heavy!r} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
