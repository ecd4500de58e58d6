"""What an architecture would cost to serve, before it is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Task
from evertune.tensors import Signature, Tensors
from export.architectures import Architectures, known_architectures
from export.choose import over_limits
from export.converters import converter_for
from export.converters.sketch import Sketcher
from export.external import OnnxFiles
from export.measure import measure_latency
from export.memory import measure_memory
from export.pipeline import convert
from export.presence import judgeable_limits
from export.quantization import Quantizer
from export.recipes import FP32, QUICK
from export.target import target_named
from export.verify import verify

_ROUNDS = 7
_SURE_RATIO = 0.9  # of a limit: up to there a sketch is believed
_ROWS = 64


@dataclass(frozen=True)
class Footprint:
    """Latency, size and memory of the precision that would fit.

    Attributes:
        latency_seconds: Median of one batch of `limits.batch_rows`.
        size_bytes: Of the ONNX file.
        recipe: FP32 where that is within the limits, else the INT8 recipe that comes closest.
        over: The limit that even this recipe breaks, in words; None where the architecture may be trained.
        memory_bytes: By which loading it and running 64 rows raise a process; None where no limit asks for it.
    """

    latency_seconds: float
    size_bytes: int
    recipe: str
    over: str | None
    memory_bytes: int | None = None


def measure_untrained(
    model: Any, task: Task, *, settings: ExportSettings, limits: LimitSettings, seed: int = 0
) -> Footprint:
    """Exports an untrained model and measures it on random rows; twice before it is called too slow.

    Inside `architectures_in`, models that compute the same are measured once: neither weights nor how they are trained
    changes the figures. And where a model of the same operations, of other sizes, was exported before, a sketch of this
    one tells enough (`Sketcher`), as long as it is well within all limits.

    Args:
        model: What `task.build` returned.
        task: Declares inputs and labels.
        settings: Threads, parity and target. Where the target is not here, neither latency nor memory is a limit.
        limits: INT8 is only tried where FP32 is over them.
        seed: Of the rows.

    Raises:
        ExportError: The model does not convert or does not fit the task.
    """
    shelf, limits = known_architectures(), judgeable_limits(limits, settings.target)
    key = None if shelf is None else _key(model, task, settings, limits)
    known = shelf.get(key) if shelf is not None and key is not None else None
    if known is not None:
        return Footprint(**known)
    bench = _Bench(model, task, settings, limits, _random_rows(task.signature, np.random.default_rng(seed)))
    found = bench.measured() if shelf is None else bench.quickly(shelf)
    if found.over is not None and found.size_bytes <= limits.size_bytes:  # a neighbour may have been in the way
        found = min(found, bench.measured(), key=lambda each: (each.over is not None, each.latency_seconds))
    if shelf is not None and key is not None:
        shelf.put(key, asdict(found))
    return found


def _key(model: Any, task: Task, settings: ExportSettings, limits: LimitSettings) -> str | None:
    architecture = converter_for(model).architecture(model, task.signature, task.kind)
    if architecture is None:
        return None
    facts = (task.signature.to_json(), task.kind, repr(task.parameters), settings.model_dump(), limits.model_dump())
    return f"footprint {architecture} {facts}"


@dataclass(frozen=True)
class _Bench:
    """Exports and measures one model."""

    model: Any
    task: Task
    settings: ExportSettings
    limits: LimitSettings
    rows: Tensors

    def sketcher(self) -> Sketcher | None:
        """Whoever draws what can be judged by a sketch."""
        converter = converter_for(self.model)
        judged = self.settings.target == "cpu" and not self.limits.memory_bytes
        return converter if judged and isinstance(converter, Sketcher) else None

    def quickly(self, shelf: Architectures) -> Footprint:
        """By a sketch, where a model of the same operations has shown that they export; else as `measured`."""
        sketcher, signature, kind = self.sketcher(), self.task.signature, self.task.kind
        known = sketcher.operations(self.model, signature, kind) if sketcher is not None else None
        if sketcher is None or known is None:
            return self.measured()
        key = f"operations {known} {kind} {signature.to_json()}"
        found = self._of_sketch(sketcher) if shelf.get(key) is not None else None
        if found is None:
            found = self.measured()
            shelf.put(key, {"exported": True})
        return found

    def _of_sketch(self, sketcher: Sketcher) -> Footprint | None:
        """None where that does not tell for certain."""
        content = sketcher.sketch(self.model, self.task.signature, self.task.kind)
        if content is None:
            return None
        try:
            session = verify(content, self.task.signature, threads=self.settings.threads)
        except ExportError:
            return None
        found, limits = self._judged(session, OnnxFiles(content)), self.limits
        if found.over is not None:  # the smallest: where another may be faster, both are exported
            return found if _SURE_RATIO * found.size_bytes > limits.size_bytes else None
        small = found.size_bytes <= _SURE_RATIO * limits.size_bytes
        fast = found.latency_seconds <= _SURE_RATIO * limits.latency_seconds
        return found if small and fast else None

    def measured(self) -> Footprint:
        """By a whole export."""
        task = self.task
        source, session, _ = convert(
            self.model, task.signature, self.rows, self.settings, kind=task.kind, parameters=task.parameters
        )
        return self._judged(session, OnnxFiles(source.model_bytes, source.external_data))

    def _judged(self, session: Session, files: OnnxFiles) -> Footprint:
        fp32 = self._footprint(FP32, session, files)
        if fp32.over is None:
            return fp32
        found = (fp32, *self._quantized(files.model_bytes))
        return min(found, key=lambda each: (each.over is not None, each.size_bytes, each.latency_seconds))

    def _quantized(self, model_bytes: bytes) -> list[Footprint]:
        found, signature = [], self.task.signature
        calibration = Rows(self.rows, np.zeros(_ROWS, np.int64))
        for recipe in QUICK:
            try:
                content = Quantizer(model_bytes, signature, calibration).quantize(recipe)
                session = verify(content, signature, threads=self.settings.threads)
            except ExportError:  # this precision is no way out
                continue
            found.append(self._footprint(recipe.name, session, OnnxFiles(content)))
        return found

    def _footprint(self, recipe: str, session: Session, files: OnnxFiles) -> Footprint:
        limits, batch = self.limits, self.limits.batch_rows
        size_bytes = len(files.model_bytes) + sum(map(len, files.external_data.values()))
        times = measure_latency({recipe: session}, self.rows, baseline=recipe, rounds=_ROUNDS, batches=(batch,))
        latency, memory = times.seconds[recipe][batch], None
        if limits.memory_bytes and over_limits(latency, size_bytes, limits) is None:
            providers = target_named(self.settings.target).providers
            known = measure_memory({recipe: files}, session, self.rows, providers).get(recipe)
            memory = None if known is None else known.memory_bytes
        over = over_limits(latency, size_bytes, limits, memory_bytes=memory)
        return Footprint(latency, size_bytes, recipe, over, memory)


def _random_rows(signature: Signature, random: np.random.Generator) -> Tensors:
    """Bytes over their range, floats around zero, other integers zero: an index into a table must exist."""
    rows: Tensors = {}
    for spec in signature.inputs:
        shape = (_ROWS, *(8 if size is None else size for size in spec.shape))
        dtype = np.dtype(spec.dtype)
        if dtype.kind == "f":
            rows[spec.name] = random.standard_normal(shape).astype(dtype)
        else:
            rows[spec.name] = random.integers(0, 256, shape, dtype) if dtype == np.uint8 else np.zeros(shape, dtype)
    return rows
