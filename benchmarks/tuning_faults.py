"""`kill -9` of drivers and workers of a real search at random moments: nothing lost, duplicated or hung."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks._faults.damage import damage, epochs_trained, hits_of
from benchmarks._harness import Benchmark, Options, Outcome

_CPUS = 2
_TARGETS = {"lost": 0.0, "duplicated": 0.0, "hung": 0.0, "redone_epochs_per_kill": 1.0}


def run(options: Options) -> Outcome:
    """A campaign with worker processes, and one on a Ray cluster."""
    kills = 4 if options.quick else 20
    figures: dict[str, float] = {}
    for executor in ("processes", "ray"):
        found = _campaign(executor, kills, options.seed)
        print(executor, found, flush=True)
        figures |= {f"{executor}_{name}": value for name, value in found.items()}
    targets = {
        f"{executor}_{name}": ("<=", most) for executor in ("processes", "ray") for name, most in _TARGETS.items()
    }
    return Outcome(figures, targets, {"kills_of_each": kills, "workers": 2, "ray_nodes": 1})


def _campaign(executor: str, kills: int, seed: int) -> dict[str, float]:
    from benchmarks._faults.task import ROWS
    from tune.journal import read_entries

    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder, counts = Path(name) / "project", Path(name) / "counts"
        folder.mkdir()
        counts.mkdir()
        os.environ["COUNTS_FOLDER"] = str(counts)  # of all processes that follow
        with _cluster() if executor == "ray" else _no_cluster() as where:
            seen = _kill(folder, kills, seed, where)
        entries = read_entries(folder / "state/studies/main/journal.jsonl")[0]
        found = damage(
            entries, seen["told_ended"], hits_of(entries, seen["driver_kills"]), epochs_trained(entries, counts, ROWS)
        )
    print(executor, seen["hung"], *_not_sound(entries), flush=True)
    return {
        **{each: float(value) for each, value in vars(found).items()},
        "hung": float(len(seen["hung"])),
        "driver_kills": float(len(seen["driver_kills"])),
        "worker_kills": float(seen["worker_kills"]),
    }


def _not_sound(entries: Any) -> Iterator[str]:
    """Trials that did not end, or failed: for whoever looks for the reason."""
    records = {entry["record"]["trial_id"]: entry["record"] for entry in entries if entry["event"] == "ended"}
    for trial_id in [entry["trial_id"] for entry in entries if entry["event"] == "started"]:
        if trial_id not in records or records[trial_id]["state"] == "failed":
            events = [entry["event"] for entry in entries if entry.get("trial_id") == trial_id]
            yield f"\n{trial_id}: {' '.join(events)}: {records.get(trial_id, {}).get('error')}"


def _kill(folder: Path, kills: int, seed: int, where: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks._faults.campaign", str(folder), str(kills), str(seed), *where]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


@contextmanager
def _no_cluster() -> Iterator[list[str]]:
    yield []


@contextmanager
def _cluster() -> Iterator[list[str]]:
    command = [sys.executable, "-m", "benchmarks._ray_nodes", str(_CPUS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cluster:
        assert cluster.stdin is not None and cluster.stdout is not None  # noqa: PT018  # pipes
        yield [cluster.stdout.readline().strip(), str(cluster.pid)]
        cluster.stdin.close()


BENCHMARK = Benchmark(
    "kill -9 of a search's driver and workers, with processes and on Ray: what is lost, run twice, or hangs",
    "12 minutes, 4 with --quick",
    run,
)
