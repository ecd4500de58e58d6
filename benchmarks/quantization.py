"""What ships, beside ONNX Runtime's two quantizers as they come, on six trained models."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks._defaults import dynamic_default, static_default
from benchmarks._harness import Benchmark, Options, Outcome
from benchmarks._harness import Target as Bound
from benchmarks._trained import Trained, trained_models
from evertune.settings import ExportSettings, LimitSettings
from evertune.statistics import Interval

if TYPE_CHECKING:
    from evertune.runtime import Session
    from export import ExportResult

_ALLOWANCE_RATIO = 0.005
_BATCHES = (1, 64)
_NAMED = 1  # the batch whose latency the tasks name: `limits.batch_rows`
_ROUNDS, _QUICK_ROUNDS, _LOADS = 100, 40, 10
_MANY_PARAMETERS = 100_000
_LIMITS = LimitSettings(latency_seconds=1, size_bytes=1_000_000_000, batch_rows=_NAMED)  # no limit in the way
_OURS = "shipped"
_DEFAULTS = {"dynamic_default": dynamic_default, "static_default": static_default}


@dataclass(frozen=True)
class _Judged:
    """One file against FP32, on rows and in rounds that no choice was made with."""

    loss: float
    loss_interval: Interval
    size_ratio: float
    latency: dict[int, Interval]
    ratio: dict[int, float]

    def figures(self, prefix: str) -> dict[str, float]:
        return {
            f"{prefix}_loss": self.loss,
            f"{prefix}_loss_upper": self.loss_interval.upper,
            f"{prefix}_size_ratio": self.size_ratio,
            **{f"{prefix}_latency_ratio_batch_{size}": value for size, value in self.ratio.items()},
            **{f"{prefix}_latency_ratio_lower_batch_{size}": value.lower for size, value in self.latency.items()},
            **{f"{prefix}_latency_ratio_upper_batch_{size}": value.upper for size, value in self.latency.items()},
        }

    def cells(self) -> str:
        latency = [f"{self.ratio[size]:.2f} [{self.latency[size].lower:.2f}, {self.latency[size].upper:.2f}]"
                   for size in _BATCHES]  # fmt: skip
        points = f"{100 * self.loss:+.2f}, at most {100 * self.loss_interval.upper:.2f}"
        return " | ".join((points, f"{self.size_ratio:.2f}", *latency))


_SAME = _Judged(
    0.0, Interval(0, 0, 0.95), 1.0, {size: Interval(1, 1, 0.95) for size in _BATCHES}, dict.fromkeys(_BATCHES, 1.0)
)


def run(options: Options) -> Outcome:
    """Trains, exports in full, and judges what ships and both defaults on test rows and fresh rounds."""
    from export import export_model

    figures: dict[str, float] = {}
    targets: dict[str, Bound] = {}
    settings = ExportSettings(allowance_ratio=_ALLOWANCE_RATIO)
    speed: dict[str, list[_Judged]] = {}
    table = [
        "| model | file | points lost (95%) | size | latency, 1 row | latency, 64 rows |",
        "|---|---|---|---|---|---|",
    ]
    for each in trained_models(options):
        result = export_model(each.model, each.task, each.splits, settings=settings, limits=_LIMITS, seed=options.seed)
        judged = _judged(each, result, _QUICK_ROUNDS if options.quick else _ROUNDS)
        figures |= _figures(each, result)
        targets |= _targets(each, result)
        for name in (_OURS, *_DEFAULTS):
            found = judged.get(name)
            speed.setdefault(name, []).append(found or _SAME)
            figures |= found.figures(f"{each.name}_{name}") if found else {}
            file = result.chosen.recipe if name == _OURS else name.replace("_", ", ")
            table.append(f"| {each.name} | {file} | {found.cells() if found else 'does not run'} |")
        print("\n".join((f"{each.name}: {result.reason}", *table[-1 - len(_DEFAULTS) :])), flush=True)
    figures |= {
        f"{name}_speed_up_batch_{size}": _speed_up(found, size) for name, found in speed.items() for size in _BATCHES
    }
    for name in _DEFAULTS:
        key = f"speed_up_over_{name}"
        figures[key] = figures[f"{_OURS}_speed_up_batch_{_NAMED}"] / figures[f"{name}_speed_up_batch_{_NAMED}"]
        targets[key] = (">=", 1.0)
    print("\n".join(("", *table)), flush=True)
    return Outcome(figures, targets, {"allowance_ratio": _ALLOWANCE_RATIO, "batch_rows": _NAMED, "threads": 1})


def _judged(trained: Trained, result: ExportResult, rounds: int) -> dict[str, _Judged]:
    """By file; without those that cannot be made, do not load, or do not run."""
    from evertune.runtime import Session
    from export.measure import measure_latency
    from export.scoring import difference_of, losses_of

    fp32 = result.candidate("fp32").model_bytes
    files = {"fp32": fp32, **_made(fp32, trained), _OURS: result.chosen.model_bytes}
    sessions: dict[str, Session] = {}
    losses = {}
    for name, content in files.items():
        try:
            sessions[name] = Session(content, trained.task.signature)
            losses[name] = losses_of(sessions[name], trained.splits.test, trained.task)
        except Exception as error:  # whatever ONNX Runtime raises
            if name in ("fp32", _OURS):
                raise
            sessions.pop(name, None)
            print(f"{trained.name}: {name} does not run: {str(error)[:200]}", flush=True)
    times = measure_latency(
        sessions,
        trained.splits.test.inputs,
        baseline="fp32",
        rounds=rounds,
        batches=_BATCHES,
        load=lambda name: Session(files[name], trained.task.signature),
        loads=_LOADS,
    )
    found = {
        name: _Judged(
            float((losses[name] - losses["fp32"]).mean()),
            difference_of(losses["fp32"], losses[name], _ALLOWANCE_RATIO),
            len(files[name]) / len(fp32),
            times.interval[name],
            times.ratio[name],
        )
        for name in sessions
    }
    return {**found, _OURS: _SAME} if result.chosen.recipe == "fp32" else found


def _made(fp32: bytes, trained: Trained) -> dict[str, bytes]:
    made = {}
    logging.disable(logging.WARNING)  # the quantizers advise the user through the root logger
    try:
        for name, quantize in _DEFAULTS.items():
            try:
                made[name] = quantize(fp32, trained.splits.calibration.inputs)
            except Exception as error:  # whatever ONNX Runtime raises
                print(f"{trained.name}: {name} cannot be made: {str(error)[:200]}", flush=True)
    finally:
        logging.disable(logging.NOTSET)
    return made


def _figures(trained: Trained, result: ExportResult) -> dict[str, float]:
    name, chosen, fp32 = trained.name, result.chosen, result.candidate("fp32")
    return {
        f"{name}_parameters": trained.parameters,
        f"{name}_accuracy": fp32.accuracy,
        f"{name}_candidates": len(result.candidates),
        f"{name}_shipped_is_quantized": float(chosen.recipe != "fp32"),
        f"{name}_shipped_memory_ratio": _ratio(chosen.memory_bytes, fp32.memory_bytes),
        f"{name}_shipped_load_ratio": _ratio(chosen.load_seconds, fp32.load_seconds),
    }


def _ratio(mine: float | None, theirs: float | None) -> float:
    return mine / theirs if mine is not None and theirs else math.nan


def _targets(trained: Trained, result: ExportResult) -> dict[str, Bound]:
    prefix = f"{trained.name}_{_OURS}"
    targets: dict[str, Bound] = {
        f"{prefix}_loss_upper": ("<=", _ALLOWANCE_RATIO),
        f"{prefix}_latency_ratio_lower_batch_{_NAMED}": ("<=", 1.0),  # above it the file is shown to be slower
    }
    if trained.parameters >= _MANY_PARAMETERS and result.chosen.recipe.startswith("int8"):
        targets[f"{prefix}_size_ratio"] = ("<=", 0.30)
    return targets


def _speed_up(found: list[_Judged], size: int) -> float:
    """Geometric mean; a file that does not run leaves its user with FP32, as one that does not ship does."""
    return math.exp(-sum(math.log(each.ratio[size]) for each in found) / len(found))


BENCHMARK = Benchmark(
    summary="what ships of six trained models, beside ONNX Runtime's default quantizers",
    duration="about 12 minutes; with --quick 5 minutes",
    run=run,
)
