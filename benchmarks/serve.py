"""`bentoml serve` against bare uvicorn with the same model: requests a second and latency under `wrk`.

Three servers of one worker each stay up and are loaded in turns, so that whatever else the machine does meets all of
them. `wrk` shares the cores with the server that it loads; ours shares them with its drainer besides, as in production.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import _servers
from benchmarks._harness import Benchmark, Options, Outcome
from benchmarks._harness import Target as Bound
from benchmarks._servers import Server
from benchmarks._wrk import CONNECTIONS, Load, find_wrk
from evertune.bundle import Bundle
from evertune.datatypes import DATATYPES
from evertune.keys import Keyring
from evertune.tensors import Tensors

_DRAIN_SECONDS = 120.0
_TARGETS: dict[str, Bound] = {
    "ours_to_bare_ratio": (">=", 0.8),
    "non_2xx": ("<=", 0.0),
    "broken_connections": ("<=", 0.0),
}

Turn = Mapping[str, Mapping[str, float]]
"""Figures by server."""


def _run(options: Options) -> Outcome:
    rounds, seconds = (5, 2) if options.quick else (9, 6)
    wrk = find_wrk()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        project, bundle = _servers.make_project(folder / "project", options.data, options.seed)
        row = int(np.random.default_rng(options.seed).integers(len(next(iter(bundle.golden.inputs.values())))))
        inputs = {name: value[row : row + 1] for name, value in bundle.golden.inputs.items()}
        key = Keyring(project.keys_path).create("benchmark", ["predict"])
        load = Load(wrk, folder, json.dumps(_document(inputs), separators=(",", ":")).encode(), key)
        servers = [
            stack.enter_context(_servers.ours(project, bundle, folder)),
            stack.enter_context(_servers.bare("bare", "bare_model", bundle, folder)),
            stack.enter_context(_servers.bare("constant", "constant", bundle, folder)),
        ]
        _check_answers(servers[:2], load, bundle, inputs)
        for server in servers:
            _turn(server, load, 1)  # warms what no first turn should pay for
        turns = [_round(load, servers, number, seconds) for number in range(rounds)]
    settings = {"rounds": rounds, "seconds_a_turn": seconds, "connections": CONNECTIONS, "body_bytes": len(load.body)}
    model_bytes = bundle.manifest.files["model.onnx"].size_bytes
    return Outcome(
        _figures(turns), _TARGETS, {**settings, "recipe": bundle.manifest.recipe, "model_bytes": model_bytes}
    )


def _document(inputs: Tensors) -> dict[str, Any]:
    return {
        "inputs": [
            {
                "name": name,
                "shape": value.shape,
                "datatype": DATATYPES[value.dtype.name],
                "data": value.ravel().tolist(),
            }
            for name, value in inputs.items()
        ]
    }


def _check_answers(servers: Sequence[Server], load: Load, bundle: Bundle, inputs: Tensors) -> None:
    """All must say what the model says, or the comparison is of different work."""
    expected = bundle.session().run(inputs)[bundle.manifest.signature.outputs[0].name].ravel()
    for server in servers:
        response = httpx.post(server.url, content=load.body, headers=load.headers, timeout=20, trust_env=False)
        response.raise_for_status()
        np.testing.assert_allclose(response.json()["outputs"][0]["data"], expected, atol=1e-5)


def _round(load: Load, servers: Sequence[Server], number: int, seconds: int) -> Turn:
    """One turn each; who comes first changes from round to round."""
    first = number % len(servers)
    turn = {server.name: _turn(server, load, seconds) for server in [*servers[first:], *servers[:first]]}
    rates = ", ".join(f"{server.name} {turn[server.name]['rate']:.0f}" for server in servers)
    print(f"round {number + 1}: requests/s {rates}", flush=True)
    return turn


def _turn(server: Server, load: Load, seconds: int) -> dict[str, float]:
    """Loads a server, then waits until it is idle again, so that the next one does not pay for its work."""
    before = server.cpu_seconds()
    found = load.on(server.url, seconds)
    cpu_seconds = (server.cpu_seconds() - before) / max(found.requests, 1)
    started = time.monotonic()
    _servers.wait(server.settled, _DRAIN_SECONDS, f"{server.name} is not done with its predictions")
    lag_seconds = time.monotonic() - started
    return {**asdict(found), "rate": found.requests / found.seconds, "cpu": cpu_seconds, "lag": lag_seconds}


def _figures(turns: Sequence[Turn]) -> dict[str, float]:
    def median(server: str, part: str) -> float:
        return statistics.median(turn[server][part] for turn in turns)

    figures = {f"{server}_requests_per_second": median(server, "rate") for server in ("ours", "bare", "constant")}
    for server in ("ours", "bare"):
        figures |= {f"{server}_latency_{part}_seconds": median(server, part) for part in ("p50", "p99")}
        figures[f"{server}_worker_cpu_seconds_per_request"] = median(server, "cpu")
    ratios = [turn["ours"]["rate"] / turn["bare"]["rate"] for turn in turns]
    figures["ours_to_bare_ratio"] = statistics.median(ratios)
    figures["ours_to_bare_ratio_lowest"], figures["ours_to_bare_ratio_highest"] = min(ratios), max(ratios)
    figures["ours_to_bare_cpu_ratio"] = statistics.median(turn["ours"]["cpu"] / turn["bare"]["cpu"] for turn in turns)
    figures["drain_lag_seconds"] = median("ours", "lag")
    for name, part in (("non_2xx", "non_2xx"), ("broken_connections", "broken")):
        figures[name] = sum(one[part] for turn in turns for one in turn.values())
    return figures


BENCHMARK = Benchmark(
    summary="bentoml serve against bare uvicorn with the same model: requests/s, latency under wrk",
    duration="about 4 minutes; with --quick 2 minutes; needs wrk; --data: a project whose champion is served",
    run=_run,
)
