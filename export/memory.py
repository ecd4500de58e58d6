"""What a model takes to load and to run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evertune.runtime import Session
from evertune.tensors import Tensors
from export.external import OnnxFiles, write_data
from export.smallest import SIGNATURE, smallest_model

_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Memory:
    """Of one model in a process where nothing else is loaded.

    Attributes:
        memory_bytes: Growth of the peak of resident memory over loading and running a batch.
        load_seconds: Median of three loads, from file to session, by the wall clock.
    """

    memory_bytes: int
    load_seconds: float


def measure_memory(
    models: Mapping[str, OnnxFiles], session: Session, rows: Tensors, providers: tuple[str, ...]
) -> dict[str, Memory]:
    """Loads and runs each model in a process of its own.

    Args:
        models: By name.
        session: One of them: its signature and threads are those of all.
        rows: The batch to run.
        providers: Of ONNX Runtime.

    Returns:
        By name, without those whose process the system ended or that take longer than five minutes; empty where there
        is no `/proc` to read memory from.
    """
    if not Path("/proc/self/clear_refs").exists():
        return {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, content in enumerate(models.values()):
            (folder / f"{number}.onnx").write_bytes(content.model_bytes)
            (folder / str(number)).mkdir()
            write_data(folder / str(number), content.external_data)
        (folder / "smallest.onnx").write_bytes(smallest_model())
        np.savez(folder / "inputs.npz", **rows)  # type: ignore[arg-type]  # the stub takes the arrays for its flag
        options = {
            "models": len(models),
            "threads": session.threads,
            "providers": providers,
            "signature": session.signature.to_json(),
            "smallest": SIGNATURE.to_json(),
        }
        (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")
        found = [json.loads(line) for line in _run(folder).splitlines()]
    names = list(models)
    return {names[each["number"]]: Memory(each["memory_bytes"], each["load_seconds"]) for each in found}


def _run(folder: Path) -> str:
    # Native threads of numpy's must not be forked; the child finds the same modules as this process.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "export.memory_probe", str(folder)]
    with (folder / "figures").open("w+", encoding="utf-8") as figures, suppress(subprocess.TimeoutExpired):
        subprocess.run(command, env=environment, stdout=figures, stderr=subprocess.DEVNULL, timeout=_TIMEOUT_SECONDS)
    return (folder / "figures").read_text(encoding="utf-8")
