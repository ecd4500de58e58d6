"""The ways from a model to ONNX, and which one ships."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evertune.errors import ExportError
from evertune.runtime import Session
from evertune.settings import ExportSettings
from evertune.tensors import Signature, Tensors
from export.converters import Converter, Source, converter_for
from export.converters.backend import is_keras_on
from export.converters.contained import contained, may_fork
from export.converters.elsewhere import can_run, convert_elsewhere
from export.converters.failed import MovingError, RouteError
from export.converters.limited import limited
from export.converters.source import Predict
from export.external import read_data, write_data
from export.measure import measure_latency
from export.parity import Parity

# Below it another route wins. Far from 1, so that noise does not decide: the same weights give the same file. What
# makes routes differ, a loop unrolled or one operator, makes them differ by more.
_FASTER_RATIO = 0.75
_ROUNDS = 25
_OTHER = {"torch": "tensorflow", "tensorflow": "torch"}

Proved = tuple[Source, Session, Parity]


@dataclass(frozen=True)
class Routes:
    """All ways of one model.

    Args:
        model: What `Task.build` returned.
        signature: Declared inputs and outputs.
        kind: Of the task.
        settings: Which routes are tried, and how long.
        check: Looks at the model's own answers; what it refuses no route can mend.
        prove: Verifies a file and compares it with its source.
    """

    model: Any
    signature: Signature
    kind: str
    settings: ExportSettings
    check: Callable[[Source], None]
    prove: Callable[[Source], Proved]

    def quick(self) -> Proved:
        """The framework's own exporter, in this process, with graphs kept; another one where it fails.

        Raises:
            ExportError: No route gives a file that passes; of the first.
        """
        try:
            return self._own()
        except RouteError as error:
            return self._rescued(error)

    def best(self, rows: Tensors) -> Proved:
        """The fastest route that passes, each tried apart from this process where it can be.

        Args:
            rows: Inputs to measure with.

        Raises:
            ExportError: None passes; the error of the first.
        """
        try:
            first = self._own(apart=True)
        except RouteError as error:
            return self._rescued(error)
        if self.settings.routes != "all" and not (self.settings.routes == "auto" and _loops(self.model)):
            return first
        try:
            second = self._other(first[0])
        except ExportError:  # one that passes is enough
            return first
        return _faster(first, second, rows)

    def _own(self, apart: bool = False) -> Proved:
        converter = converter_for(self.model)
        source = self._apart(converter) if apart else self._convert(converter)
        self.check(source)
        try:
            return self.prove(source)
        except ExportError as error:
            if not source.reused:
                raise RouteError.of(error) from error
        source = self._convert(converter, reuse=False)
        try:
            return self.prove(source)
        except ExportError as error:
            raise RouteError.of(error) from error

    def _apart(self, converter: Converter) -> Source:
        """In a copy of this process; in a fresh one where a copy could not compute: TensorFlow or CUDA is in use.

        In this one what cannot be taken to a fresh one: a torch module, a layer without a `get_config`. Its time is
        limited there, too, as far as it runs Python.
        """
        seconds, predict = self.settings.route_timeout_seconds, converter.forward(self.model, self.signature, self.kind)
        if not may_fork():
            backend = _own_backend(self.model)
            if backend is not None:
                with contextlib.suppress(MovingError):
                    return self._elsewhere(backend, predict)
            return limited(lambda: self._convert(converter), seconds=seconds, what=converter.name)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)

            def convert() -> bytes:
                source = self._convert(converter)
                write_data(folder, source.external_data)
                return source.model_bytes

            content = contained(convert, seconds=seconds, what=converter.name)
            return Source(content, predict, external_data=read_data(folder))

    def _convert(self, converter: Converter, *, reuse: bool = True) -> Source:
        most_bytes = self.settings.max_file_bytes
        return converter.convert(self.model, self.signature, kind=self.kind, reuse=reuse, most_bytes=most_bytes)

    def _other(self, source: Source | None = None) -> Proved:
        backend = None if self.settings.routes == "first" else _other_backend(self.model)
        if backend is None:
            raise RouteError("there is no other route", fix="Change the layer.")
        predict = source.predict if source else converter_for(self.model).forward(self.model, self.signature, self.kind)
        return self.prove(self._elsewhere(backend, predict))

    def _elsewhere(self, backend: str, predict: Predict) -> Source:
        files = convert_elsewhere(
            self.model,
            self.signature,
            kind=self.kind,
            backend=backend,
            seconds=self.settings.route_timeout_seconds,
            most_bytes=self.settings.max_file_bytes,
        )
        return Source(files.model_bytes, predict, external_data=files.external_data)

    def _rescued(self, first: RouteError) -> Proved:
        """By the other route; where that fails too, the first error says more: it is about the user's own framework."""
        try:
            return self._other()
        except ExportError as error:
            raise first from error


def _own_backend(model: Any) -> str | None:
    return next((backend for backend in _OTHER if is_keras_on(backend, model)), None)


def _other_backend(model: Any) -> str | None:
    other = _OTHER.get(_own_backend(model) or "")
    return other if other is not None and can_run(other) else None


def _loops(model: Any) -> bool:
    """Whether a Keras model on torch has recurrent layers: torch unrolls them, tf2onnx keeps them as one operator."""
    if not is_keras_on("torch", model):
        return False
    kinds = {base.__name__ for layer in model._flatten_layers() for base in type(layer).__mro__}
    return bool(kinds & {"RNN", "Bidirectional"})


def _faster(first: Proved, second: Proved, rows: Tensors) -> Proved:
    """The second where it is really faster, all batch sizes taken together."""
    sessions = {"first": first[1], "second": second[1]}
    ratios = measure_latency(sessions, rows, baseline="first", rounds=_ROUNDS).ratio["second"].values()
    return second if statistics.geometric_mean(ratios) <= _FASTER_RATIO else first
