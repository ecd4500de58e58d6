"""What each candidate costs to run, measured side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evertune.runtime import Session
from evertune.tensors import Tensors
from export.candidate import Candidate
from export.external import OnnxFiles
from export.measure import LATENCY_BATCHES, latency_batches, measure_latency
from export.memory import measure_memory
from export.recipes import FP32

_MEMORY_ROWS = LATENCY_BATCHES[-1]


def with_latency(
    candidates: list[Candidate],
    sessions: Mapping[str, Session],
    rows: Tensors,
    rounds: int,
    loads: int,
    batch_rows: int,
    providers: tuple[str, ...],
) -> tuple[list[Candidate], int]:
    """Adds latencies at 1, 8, 64 and `batch_rows` rows; returns the candidates, and how many rounds there were."""
    files = {each.recipe: each for each in candidates}

    def load(recipe: str) -> Session:
        known = sessions[recipe]
        return Session(
            files[recipe].model_bytes,
            known.signature,
            threads=known.threads,
            providers=providers,
            external_data=files[recipe].external_data,
        )

    batches = latency_batches(batch_rows)
    times = measure_latency(sessions, rows, baseline=FP32, rounds=rounds, batches=batches, load=load, loads=loads)
    timed = [
        replace(
            each,
            latency_seconds=times.seconds[each.recipe],
            latency_ratio=times.ratio[each.recipe],
            latency_interval=times.interval[each.recipe],
        )
        if each.recipe in sessions
        else each
        for each in candidates
    ]
    return timed, times.rounds


def with_memory(
    candidates: list[Candidate], sessions: Mapping[str, Session], rows: Tensors, providers: tuple[str, ...]
) -> list[Candidate]:
    """Adds memory and seconds to load, each measured in a process of its own."""
    models = {
        each.recipe: OnnxFiles(each.model_bytes, each.external_data) for each in candidates if each.recipe in sessions
    }
    batch = {name: value[:_MEMORY_ROWS] for name, value in rows.items()}
    found = measure_memory(models, sessions[FP32], batch, providers)
    return [
        replace(each, memory_bytes=found[each.recipe].memory_bytes, load_seconds=found[each.recipe].load_seconds)
        if each.recipe in found
        else each
        for each in candidates
    ]
