"""`python -m benchmarks._zoo GROUP ROUTE [NAME ...]`: exports and judges models of one framework, a JSON line each."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._zoo.entry import Entry
from benchmarks._zoo.groups import entries_of
from benchmarks._zoo.judge import InvalidArtifactError, judge
from benchmarks._zoo.sources import sources_of


def main() -> None:
    """Says what became of each model."""
    group, route, seed, *names = sys.argv[1:]
    wanted = {entry.name: entry for entry in entries_of(group)}
    for name in names or wanted:
        print(json.dumps({"started": name}), flush=True)
        start = time.monotonic()
        told = _tell(wanted[name], group, route, int(seed))
        print(json.dumps({"name": name, "seconds": time.monotonic() - start, **told}), flush=True)


def _tell(entry: Entry, group: str, route: str, seed: int) -> dict[str, Any]:
    generator = np.random.default_rng([seed, zlib.crc32(entry.name.encode())])
    model, rows = entry.build(generator), entry.rows(generator)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            detail = _ours(model, entry, rows, path) if route == "ours" else _own(model, entry, rows, path)
        except Exception as error:  # every way to refuse
            return {"state": "refused", "reason": _reason(error), **_clarity(error)}
        try:
            parity = judge(path, entry.signature, sources_of(model, entry, group), rows)
        except InvalidArtifactError as error:
            return {"state": "invalid", "reason": str(error), **detail}
        leaks = _leaks(path) if route == "ours" else []
        if leaks:
            return {"state": "invalid", "reason": f"holds {leaks}", **detail}
        return {"state": "exported", "parity": parity, "bytes": path.stat().st_size, **detail}


def _ours(model: Any, entry: Entry, rows: Any, path: Path) -> dict[str, Any]:
    from evertune.settings import ExportSettings
    from export.pipeline import convert

    parameters = {"top_k": 1, "threshold": 0.5, "loss_scale": 1.0}
    source, _, parity = convert(model, entry.signature, rows, ExportSettings(), kind=entry.kind, parameters=parameters)
    path.write_bytes(source.model_bytes)
    return {"claimed": parity.absolute}


def _own(model: Any, entry: Entry, rows: Any, path: Path) -> dict[str, Any]:
    """Keras' own export, of a model that was called once, as it asks for."""
    first = [rows[spec.name][:2] for spec in entry.inputs]
    model(first[0] if len(first) == 1 else first)
    model.export(str(path), format="onnx", verbose=False)
    return {}


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:400]}"


def _clarity(error: Exception) -> dict[str, Any]:
    """A clear reason is one of our errors: it has a fix, and was no accident."""
    from evertune.errors import EvertuneError

    return {"clear": isinstance(error, EvertuneError) and bool(error.fix)}


def _leaks(path: Path) -> list[str]:
    """Of the exporting machine, in what is text: weights spell anything."""
    import onnx

    model = onnx.load(path)
    del model.graph.initializer[:]
    text = str(model)
    return [word for word in _secrets() if word in text]


def _secrets() -> tuple[str, ...]:
    import socket

    return (socket.gethostname(), str(Path.home()), str(Path.cwd()), sys.prefix, "site-packages", "/tmp/")


if __name__ == "__main__":
    main()
