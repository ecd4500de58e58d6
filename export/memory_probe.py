"""Run by `export.memory` in a process of its own: what loading and running each of some models takes."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from evertune.runtime import Session
from evertune.tensors import Signature, Tensors
from export.external import read_data

_LOADS = 3
_OWN = Path("/proc/self")


def main(folder: Path) -> None:
    """Prints one JSON object for each file `0.onnx`, `1.onnx`, ... in `folder`; weights beside it lie in `0`, `1`, ...

    Each is measured in a fork of its own in which nothing but a model of one node was loaded before: memory that one
    model frees would serve the next, and what ONNX Runtime itself takes is no model's fault.
    """
    inputs = dict(np.load(folder / "inputs.npz"))
    options = json.loads((folder / "options.json").read_text(encoding="utf-8"))
    for number in range(options["models"]):
        child = os.fork()
        if child == 0:
            try:
                print(json.dumps({"number": number, **_measure(folder, number, inputs, options)}), flush=True)
            finally:
                os._exit(0)  # a fork must not go on with the loop, nor end its parent's affairs
        os.waitpid(child, 0)


def _measure(folder: Path, number: int, inputs: Tensors, options: dict[str, Any]) -> dict[str, float | int]:
    def load(name: str, signature: str) -> tuple[Session, float]:
        start = time.perf_counter()
        data = read_data(folder / name)  # whole and at once, as a server that hashes what it loads
        path = folder / f"{name}.onnx"
        session = Session(
            path.read_bytes() if data else path,
            Signature.from_json(options[signature]),
            external_data=data,
            threads=options["threads"],
            providers=tuple(options["providers"]),
        )
        return session, time.perf_counter() - start

    load("smallest", "smallest")[0].run({"x": np.zeros((1, 1), np.float32)})
    (_OWN / "clear_refs").write_text("5")  # the peak begins anew
    before = _bytes("VmRSS")
    session, first = load(str(number), "signature")
    session.run(inputs)
    growth = _bytes("VmHWM") - before
    again = [load(str(number), "signature")[1] for _ in range(_LOADS - 1)]
    return {"memory_bytes": max(0, growth), "load_seconds": statistics.median([first, *again])}


def _bytes(field: str) -> int:
    """Of `/proc/self/status`: `VmRSS` in use now, `VmHWM` its peak."""
    lines = (_OWN / "status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
