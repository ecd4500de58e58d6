"""GPUs of this machine, found without a framework: importing one here would decide what it sees."""

from __future__ import annotations

import os
import subprocess

_PATIENCE_SECONDS = 20.0  # for a driver that is not loaded yet


def visible_devices() -> list[str]:
    """What may stand in CUDA_VISIBLE_DEVICES: its own content where it is set, else what `nvidia-smi` lists."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [device.strip() for device in named.split(",") if device.strip()]
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):  # not installed, or no device
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
