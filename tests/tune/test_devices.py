from __future__ import annotations

from pathlib import Path

import pytest

from tune.devices import visible_devices


@pytest.mark.parametrize(("value", "devices"), [("0, 2", ["0", "2"]), ("MIG-1", ["MIG-1"]), ("", [])])
def test_devices_that_the_environment_names_are_those_that_there_are(
    value: str, devices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_devices() == devices


@pytest.mark.parametrize(
    ("script", "devices"),
    [("echo GPU-1; echo GPU-2", ["GPU-1", "GPU-2"]), ("echo no devices were found; exit 6", []), (None, [])],
)
def test_else_they_are_what_the_driver_lists(
    script: str | None, devices: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert visible_devices() == devices
