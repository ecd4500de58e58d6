"""Two models answer alike, or the export stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from evertune.errors import ExportError
from evertune.runtime import Session
from evertune.tensors import Signature, Tensors
from export.parity import BATCH_SIZES, compare

GraphMaker = Callable[..., bytes]


@pytest.fixture
def rows() -> Tensors:
    return {"x": np.random.default_rng(1).standard_normal((80, 4)).astype(np.float32)}


def test_a_model_agrees_with_itself_at_every_batch_size(
    linear: GraphMaker, signature: Signature, rows: Tensors
) -> None:
    session = Session(linear(), signature)
    seen: list[int] = []

    def source(batch: Tensors) -> Tensors:
        seen.append(len(batch["x"]))
        return session.run(batch)

    parity = compare(session, source, rows, absolute=1e-6)
    assert seen == list(BATCH_SIZES) == [1, 2, 7, 64]
    assert (parity.rows, parity.absolute, parity.agreement_ratio) == (74, 0.0, 1.0)


def test_few_rows_are_used_again(linear: GraphMaker, signature: Signature, rows: Tensors) -> None:
    session = Session(linear(), signature)
    assert compare(session, session.run, {"x": rows["x"][:3]}, absolute=1e-6).rows == 74


def test_one_changed_weight_is_refused(linear: GraphMaker, signature: Signature, rows: Tensors) -> None:
    model = onnx.ModelProto.FromString(linear())
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight.view(np.uint8).reshape(-1)[3] ^= 0x40  # one bit of the first weight's exponent
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w"))
    damaged = Session(model.SerializeToString(), signature)
    with pytest.raises(ExportError, match=r"off by .* allowed"):
        compare(damaged, Session(linear(), signature).run, rows, absolute=1e-4)
    assert compare(damaged, Session(linear(), signature).run, rows, absolute=1e-4, free=True).absolute > 1e-4


def test_a_source_that_gives_nan_where_the_model_does_not_is_refused(
    linear: GraphMaker, signature: Signature, rows: Tensors
) -> None:
    session = Session(linear(), signature)

    def source(batch: Tensors) -> Tensors:
        outputs = session.run(batch)
        outputs["probabilities"][0, 0] = np.nan
        return outputs

    with pytest.raises(ExportError, match="NaN for different rows"):
        compare(session, source, rows, absolute=1e-4)


def test_a_decision_may_flip_only_between_classes_that_are_tied(
    linear: GraphMaker, signature: Signature, rows: Tensors
) -> None:
    session = Session(linear(scale=0.0), signature)  # the same probabilities for every row
    given = session.run(rows)["probabilities"][0]
    first, second = np.argsort(given)[::-1][:2]

    def swapped(batch: Tensors) -> Tensors:
        outputs = session.run(batch)["probabilities"].copy()
        outputs[:, [first, second]] = outputs[:, [second, first]]
        return {"probabilities": outputs}

    gap = float(given[first] - given[second])
    assert compare(session, swapped, rows, absolute=gap * 1.01).agreement_ratio == 0.0
    with pytest.raises(ExportError, match="off by"):
        compare(session, swapped, rows, absolute=gap * 0.49)


def test_a_batch_size_baked_into_the_graph_is_refused(linear: GraphMaker, signature: Signature, rows: Tensors) -> None:
    session = Session(linear(batch=1), signature)
    with pytest.raises(ExportError, match="fails on a batch of 2 rows"):
        compare(session, Session(linear(), signature).run, rows, absolute=1e-4)


def test_the_largest_batch_is_that_of_the_server(linear: GraphMaker, signature: Signature, rows: Tensors) -> None:
    session = Session(linear(), signature)
    parity = compare(session, session.run, rows, absolute=1e-6, batch_rows=200)
    assert (parity.batch_sizes, parity.rows) == ((1, 2, 7, 200), 210)


def test_gaps_are_compared_where_values_may_be_missing(linear: GraphMaker, signature: Signature, rows: Tensors) -> None:
    """Exporters drop the way that a tree sends NaN; real rows may have none."""
    gaps = Signature((replace(signature.inputs[0], missing=True),), signature.outputs)
    session, plain = Session(linear(), gaps), Session(linear(), signature)

    def filled(batch: Tensors) -> Tensors:
        return plain.run({"x": np.nan_to_num(batch["x"])})

    assert compare(plain, filled, rows, absolute=1e-6).absolute == 0
    with pytest.raises(ExportError, match="NaN for different rows"):
        compare(session, filled, rows, absolute=1e-4)
    with pytest.raises(ExportError, match="answers NaN where inputs are missing"):
        compare(session, session.run, rows, absolute=1e-4)

    def without(batch: Tensors) -> Tensors:
        if np.isnan(batch["x"]).any():
            raise ValueError("Input X contains NaN.")
        return plain.run(batch)

    with pytest.raises(ExportError, match=r"no answer where inputs are missing: Input X contains NaN"):
        compare(session, without, rows, absolute=1e-4)
