"""Mutations of a sound bundle: none loads, none crashes the reader, each refusal names the cause."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from benchmarks._harness import Benchmark, Options, Outcome

_READERS = 2
_SILENT_SECONDS = 60.0  # a reader that says nothing for so long hangs, and counts as crashed
_SHOWN = 10  # of what went wrong


@dataclass
class _Tally:
    """What came of the mutants; shared by the threads that watch the readers."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, mutation: str, outcome: str, message: str) -> None:
        with self.lock:
            self.outcomes[mutation, outcome] += 1
            if outcome != "refused":
                self.wrong.append(f"{outcome}: {mutation}: {message}")

    def count(self, outcome: str, *, of: bool) -> int:
        """Of the mutants that must not load, or of those that may."""
        return sum(n for (name, what), n in self.outcomes.items() if what == outcome and (name != _MAY_LOAD) == of)


_MAY_LOAD = "flips of the graph, resealed"


def run(options: Options) -> Outcome:
    """Reader processes that are started again where they die."""
    mutations, flips = (500, 50) if options.quick else (5_000, 500)
    tally = _Tally()
    with ThreadPoolExecutor(_READERS) as pool:
        list(pool.map(lambda first: _watch(options.seed, first, mutations + flips, mutations, tally), range(_READERS)))
    for line in [each for each in tally.wrong if not each.startswith(f"loaded: {_MAY_LOAD}")][:_SHOWN]:
        print(line, flush=True)
    names = sorted({name for name, _ in tally.outcomes if name != _MAY_LOAD})
    figures = {
        "mutations": tally.outcomes.total() - sum(n for (name, _), n in tally.outcomes.items() if name == _MAY_LOAD),
        "loaded": tally.count("loaded", of=True),
        "crashed": tally.count("crashed", of=True),
        "refusals_without_cause": tally.count("no cause", of=True),
        "families": len(names),
        "resealed_flips": sum(n for (name, _), n in tally.outcomes.items() if name == _MAY_LOAD),
        "resealed_flips_crashed": tally.count("crashed", of=False),
        "resealed_flips_without_cause": tally.count("no cause", of=False),
        "resealed_flips_proven_on_golden_rows": tally.count("loaded", of=False),
    }
    zero = ("loaded", "crashed", "refusals_without_cause", "resealed_flips_crashed", "resealed_flips_without_cause")
    targets = {"mutations": (">=", float(mutations)), **{name: ("<=", 0.0) for name in zero}}
    by_family = {name: sum(n for (each, _), n in tally.outcomes.items() if each == name) for name in names}
    return Outcome(figures, targets, {"readers": _READERS, "mutations_by_family": by_family})


def _watch(seed: int, first: int, end: int, plain: int, tally: _Tally) -> None:
    """Runs one reader over its share; where it dies or hangs, that is noted, and the next reader goes on after it."""
    while first < end:
        arguments = map(str, (seed, first, _READERS, end, plain))
        command = [sys.executable, "-m", "benchmarks._bundle_faults", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
            reading, errors = _follow(reader, tally)
        if reading is None and reader.returncode == 0:
            return
        if reading is None:
            raise RuntimeError(f"a reader did not begin: {errors[-2000:]}")
        tally.add(reading["mutation"], "crashed", f"exit code {reader.returncode}: {errors[-300:]}")
        first = reading["reading"] + _READERS


def _follow(reader: subprocess.Popen[str], tally: _Tally) -> tuple[dict[str, Any] | None, str]:
    """Notes what the reader says; returns the mutant at which it ended, if any, and its stderr."""
    lines: queue.Queue[str] = queue.Queue()
    errors: list[str] = []
    assert reader.stdout is not None
    assert reader.stderr is not None
    pumps = [
        threading.Thread(target=_pump, args=(reader.stdout, lines), daemon=True),
        threading.Thread(target=lambda stream: errors.append(stream.read()), args=(reader.stderr,), daemon=True),
    ]
    for pump in pumps:
        pump.start()
    reading: dict[str, Any] | None = None
    while True:
        try:
            line = lines.get(timeout=_SILENT_SECONDS)
        except queue.Empty:
            reader.kill()
            continue
        if not line:
            break
        said = json.loads(line)
        if "reading" in said:
            reading = said
        else:
            tally.add(said["mutation"], said["outcome"], said["message"])
            reading = None
    reader.wait()
    pumps[1].join()
    return reading, "".join(errors)


def _pump(stream: Any, lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


BENCHMARK = Benchmark(
    summary="5,000 mutations of a bundle: none loads, none crashes the reader, each refusal names the cause",
    duration="about 2 min; --quick 20 s, 500 mutations",
    run=run,
)
