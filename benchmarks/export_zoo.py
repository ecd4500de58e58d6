"""Models of every kind through the exporter, beside Keras' own export: what ships, what is refused, what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks._harness import Benchmark, Options, Outcome
from benchmarks._harness import Target as Bound

_JOBS = (
    *((group, "ours") for group in ("keras-torch", "keras-tensorflow", "torch", "sklearn")),
    *((group, "own") for group in ("keras-torch", "keras-tensorflow")),
)
_AT_ONCE = 2
_MODEL_SECONDS = 300  # without a word about the next model


def run(options: Options) -> Outcome:
    """Exports all models, one process a framework and exporter, and counts."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda job: _job(job[0], job[1], options), _JOBS))
    results = dict(zip(_JOBS, found, strict=True))
    ours = [each for (_, route), part in results.items() if route == "ours" for each in part]
    figures = {
        "models": float(len(ours)),
        **_counts(ours),
        "unclear_refusals": float(sum(each["state"] == "refused" and not each["clear"] for each in ours)),
        "parity_worst": max((each["parity"] for each in ours if each["state"] == "exported"), default=float("nan")),
    }
    for (group, route), part in results.items():
        prefix = f"{group.replace('-', '_')}_{'keras_own_' if route == 'own' else ''}"
        figures |= {f"{prefix}{name}": value for name, value in _counts(part).items()}
    return Outcome(figures, _targets(options.quick), {"seconds_a_model": _MODEL_SECONDS})


def _targets(quick: bool) -> dict[str, Bound]:
    return {
        "models": (">=", 30.0 if quick else 40.0),
        "invalid": ("<=", 0.0),
        "crashed": ("<=", 0.0),
        "unclear_refusals": ("<=", 0.0),
        "parity_worst": ("<=", 1e-4),
    }


def _counts(found: Sequence[dict[str, Any]]) -> dict[str, float]:
    states = [each["state"] for each in found]
    counts = {state: float(states.count(state)) for state in ("exported", "refused", "invalid", "crashed")}
    return counts | {"exported_ratio": counts["exported"] / max(len(states), 1)}


def _job(group: str, route: str, options: Options) -> list[dict[str, Any]]:
    """A model that takes its process with it is counted, and the next process goes on behind it."""
    names = _names(group, options.quick)
    found: list[dict[str, Any]] = []
    while names:
        told = list(_told(group, route, options.seed, names))
        found += [each for each in told if "state" in each]
        done = {each["name"] for each in told if "state" in each}
        started = [each["started"] for each in told if "started" in each and each["started"] not in done]
        lost = started or names[:1]
        if done >= set(names):
            lost = []
        found += [{"name": name, "state": "crashed", "reason": "the process ended", "clear": False} for name in lost]
        names = [name for name in names if name not in done and name not in lost]
    for each in found:
        print(f"{group} {route} {each['name']}: {each['state']} {each.get('reason', '')}", flush=True)
    return found


def _names(group: str, quick: bool) -> list[str]:
    code = (
        "from benchmarks._zoo.groups import entries_of\n"
        f"print('\\n'.join(each.name for each in entries_of({group!r}) if each.quick or not {quick}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(group), capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def _told(group: str, route: str, seed: int, names: list[str]) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks._zoo", group, route, str(seed), *names]
    seconds = _MODEL_SECONDS + 30 * len(names)
    try:
        done = subprocess.run(command, env=_environment(group), capture_output=True, text=True, timeout=seconds)
        output = done.stdout
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode() if isinstance(error.stdout, bytes) else (error.stdout or "")
    for line in output.splitlines():
        if line.startswith('{"'):  # what exporters print goes by
            yield json.loads(line)


def _environment(group: str) -> dict[str, str]:
    backend = "tensorflow" if group == "keras-tensorflow" else "torch"
    return os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


BENCHMARK = Benchmark(
    summary="models of every kind exported, refused or wrong, beside Keras' own export",
    duration="about 7 minutes; with --quick 3 minutes",
    run=run,
)
