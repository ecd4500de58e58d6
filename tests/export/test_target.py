"""Which precisions make sense where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings
from evertune.task import Splits, Task
from evertune.tensors import Signature, TensorSpec
from export.candidate import Candidate
from export.converters.source import Source
from export.precisions import Precisions
from export.presence import is_here
from export.target import Target, on_target, target_named

GraphMaker = Callable[..., bytes]


def test_int8_is_considered_on_the_cpu_and_under_tensorrt_only() -> None:
    refused = {
        (name, recipe): Target(name, is_here=True).refuses(recipe)
        for name in ("cpu", "cuda", "tensorrt")
        for recipe in ("fp32", "fp16", "int8-static-all", "int4")
    }
    assert {key for key, reason in refused.items() if reason} == {("cuda", "int8-static-all"), ("cuda", "int4")}
    assert "TensorRT has" in str(refused["cuda", "int8-static-all"])
    for recipe in ("int4-64", "int8-weights"):  # they compute in floating point
        assert Target("cuda", is_here=True).refuses(recipe) == (
            "only stores its weights in integers, which is not tried on CUDA"
        )


class Four(Task):
    """Four numbers, three classes."""

    name = "four"
    labels = ("a", "b", "c")
    inputs = (TensorSpec("x", "float32", (4,)),)

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: object) -> object:
        raise NotImplementedError


def test_what_the_target_refuses_is_not_made(linear: GraphMaker, signature: Signature) -> None:
    x = np.random.default_rng(0).standard_normal((70, 4)).astype(np.float32)
    rows = Rows({"x": x}, np.zeros(70, np.int64))
    session = Session(linear(), signature)
    settings = ExportSettings(recipes=("int8-dynamic", "fp16", "int8-weights"))
    source = Source(linear(), session.run)
    precisions = Precisions(source, session, Four(), Splits(rows, rows, rows, rows), settings)
    first, half, last = precisions.made(Target("cuda", is_here=True), quick=False)
    assert [made[0].recipe for made in (first, half, last)] == list(settings.recipes)
    for candidate, none in (first, last):
        assert (candidate.size_bytes, none) == (0, None)
        assert candidate.refused == Target("cuda", is_here=True).refuses(candidate.recipe)
    assert half[0].refused is None
    assert half[1] is not None


def test_what_cannot_be_measured_here_does_not_ship_and_says_where_it_can() -> None:
    absent = Target("tensorrt", is_here=False)
    assert absent.refuses("fp32") is None
    assert absent.refuses("fp16") == (
        "its speed on tensorrt cannot be measured here: export on a machine with TensorrtExecutionProvider"
    )
    assert absent.providers == target_named("cpu").providers


def test_sessions_of_refused_candidates_are_gone(linear: GraphMaker, signature: Signature) -> None:
    names = ("fp32", "int8-dynamic")
    candidates = [Candidate(name, linear()) for name in names]
    sessions = {name: Session(linear(), signature) for name in names}
    found = on_target(candidates, sessions, Target("cuda", is_here=False))
    assert set(sessions) == {"fp32"}
    assert [each.refused is None for each in found] == [True, False]
    assert on_target(candidates[:1], sessions, target_named("cpu")) == candidates[:1]


@pytest.mark.skipif(is_here("cuda"), reason="this machine has CUDA")
def test_a_fall_back_of_onnx_runtime_to_the_cpu_is_an_error(
    linear: GraphMaker, signature: Signature, capfd: pytest.CaptureFixture[str]
) -> None:
    sessions = {"fp32": Session(linear(), signature)}
    with pytest.raises(ExportError, match=r"the model does not run on cuda: .*CPUExecutionProvider"):
        on_target([Candidate("fp32", linear())], sessions, Target("cuda", is_here=True))
    capfd.readouterr()  # what ONNX Runtime prints about the library it lacks
