"""Exporters that hang, crash or refuse, and the ones that step in."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from evertune.errors import ExportError
from evertune.settings import ExportSettings
from evertune.tensors import Signature, TensorSpec
from export.converters.contained import contained
from export.converters.failed import RouteError
from export.converters.limited import limited
from export.external import DATA
from export.pipeline import convert

IDS = Signature((TensorSpec("ids", "int64", (None,)),), (TensorSpec("probabilities", "float32", (3,)),))
ROWS = {"ids": np.random.default_rng(0).integers(0, 9, (80, 7))}


def hang() -> bytes:
    threading.Event().wait()
    raise AssertionError("unreachable")


def crash() -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def accident() -> bytes:
    raise ZeroDivisionError


def refuse() -> bytes:
    raise RouteError("no operator for sinc", fix="Use sin.", layer="wave")


def test_what_another_process_makes_comes_back_whole() -> None:
    assert contained(lambda: bytes(5_000_000), seconds=60, what="it") == bytes(5_000_000)


@pytest.mark.parametrize(
    ("work", "seconds", "message"),
    [
        (hang, 0.2, r"it took longer than export\.route_timeout_seconds = 0\.2"),
        (crash, 60, r"the process of it was killed by signal 9"),
        (accident, 60, r"the process of it left with 1"),
        (refuse, 60, r"no operator for sinc Fix: Use sin\."),
    ],
)
def test_an_exporter_that_hangs_or_crashes_is_one_route_less(work: Any, seconds: float, message: str) -> None:
    with pytest.raises(RouteError, match=message) as caught:
        contained(work, seconds=seconds, what="it")
    assert caught.value.details.get("layer") == ("wave" if work is refuse else None)


def spin() -> None:
    """As exporters do: whatever goes wrong inside is caught, and another way tried."""
    while True:
        with contextlib.suppress(Exception):
            sum(range(1000))


def test_what_no_other_process_can_do_is_stopped_where_it_runs_python() -> None:
    with pytest.raises(RouteError, match=r"it took longer than export\.route_timeout_seconds = 0\.05"):
        limited(spin, seconds=0.05, what="it")
    assert limited(lambda: 3, seconds=60, what="it") == 3


def test_an_alarm_of_somebody_else_still_comes() -> None:
    rung, before = threading.Event(), signal.getitimer(signal.ITIMER_REAL)
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.set())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(RouteError):
            limited(spin, seconds=0.05, what="it")
        limited(lambda: rung.wait(60), seconds=60, what="it")  # theirs comes first, and reaches them
        assert rung.is_set()
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *before)


class Doubled(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """A layer of this file, which another process must find."""

    def call(self, x: Any) -> Any:
        return keras.ops.multiply(x, 2.0)


def recurrent(*layers: Any) -> Any:
    ids = keras.Input((None,), dtype="int64", name="ids")
    hidden = keras.layers.LSTM(4)(keras.layers.Embedding(9, 3)(ids))
    for layer in layers:
        hidden = layer(hidden)
    return keras.Model(ids, keras.layers.Dense(3, activation="softmax")(hidden))


def test_what_torch_cannot_export_tensorflow_does_in_a_process_of_its_own() -> None:
    before = "tensorflow" in sys.modules
    model, settings = recurrent(Doubled(), keras.layers.Dense(300)), ExportSettings(max_file_bytes=1000)
    source, session, parity = convert(model, IDS, ROWS, settings)
    assert parity.absolute < 1e-5
    assert len(source.external_data[DATA]) > 1000
    assert "LSTM" in {node.op_type for node in onnx.ModelProto.FromString(source.model_bytes).graph.node}
    assert session.run({"ids": ROWS["ids"][:, :3].copy()})["probabilities"].shape == (80, 3)
    assert ("tensorflow" in sys.modules) is before  # another test of this process may have imported it
    assert str(Path.home()).encode() not in source.model_bytes


def test_without_another_route_the_refusal_is_that_of_the_first() -> None:
    with pytest.raises(ExportError, match=r"fixes the length of axis 1 of input 1"):
        convert(recurrent(), IDS, ROWS, ExportSettings(routes="first"))


def test_a_model_that_cannot_be_saved_has_no_other_route() -> None:
    class Unsaved(keras.Model):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def call(self, ids: Any) -> Any:
            return self.inner(ids)

    with pytest.raises(ExportError, match=r"fixes the length") as caught:
        convert(Unsaved(recurrent()), IDS, ROWS, ExportSettings())
    assert "cannot be" in str(caught.value.__cause__)


def test_a_full_export_is_made_apart_and_gives_the_same_bytes() -> None:
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))
    signature = Signature((TensorSpec("x", "float32", (4,)),), IDS.outputs)
    rows = {"x": np.random.default_rng(0).standard_normal((80, 4)).astype(np.float32)}
    here, there = (convert(model, signature, rows, ExportSettings(), full=full)[0] for full in (False, True))
    assert here.model_bytes == there.model_bytes
