"""Rankings whose labels follow from clicks, as the evaluator and the exporter see them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sqlalchemy import func, select

from evertune.bundle import Bundle, ConfidenceMap, Golden, Reference, write_content
from evertune.ids import new_request_id, row_id
from evertune.ledger import Label, Prediction
from evertune.ledger.schema import labels, row_losses
from evertune.runtime.session import Session
from evertune.tensors import Signature, TensorSpec
from monitoring.champion_samples import champion_samples
from monitoring.label_samples import label_samples
from monitoring.windows import Windows

World = Any  # of conftest.py
_HORIZON_SECONDS = 600.0


@pytest.fixture
def bundle(world: World) -> Bundle:
    """The champion: ranks three items as its inputs say."""
    shape = ("rows", 3)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["scores"])],
        "identity",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    content, inputs = bytes(model.SerializeToString()), {"x": np.array([[3.0, 2.0, 1.0]], np.float32)}
    signature = Signature((TensorSpec("x", "float32", (3,)),), (TensorSpec("scores", "float32", (3,)),))
    write_content(
        world.folder / "ranking",
        model_bytes=content,
        model="films",
        kind="ranking",
        labels=("50", "172", "1"),
        signature=signature,
        preprocessing={},
        recipe="fp32",
        calibration=ConfidenceMap((0.0, 1.0), (0.0, 1.0), rows=500),
        reference=Reference(0.5, 0.5, 1000, 0.5),
        golden=Golden(inputs, Session(content, signature).run(inputs), 1e-4),
        parameters={"top_k": 2},
    )
    sealed: Bundle = world.store.put(world.folder / "ranking", attestation={})
    world.promote(sealed)
    return sealed


def predict(world: World, bundle: Bundle, count: int) -> list[str]:
    """Rankings of the items in their order, one row each, that wait for clicks."""
    now, scores = world.clock.now, np.array([[3.0, 2.0, 1.0]], np.float32)
    made = [
        Prediction(
            *(new_request_id(now), "films", bundle.digest, now, {"scores": scores}, np.array([0.5], np.float32)),
            label_horizon_seconds=_HORIZON_SECONDS,
        )
        for _ in range(count)
    ]
    world.ledger.predictions.add_many(made)
    return [row_id(each.request_id, 0) for each in made]


def figures(world: World, bundle: Bundle) -> dict[str, Any]:
    """Of the last hour, by name."""
    ledger = world.ledger
    with ledger.read() as connection:
        records = ledger.detectors.list("films")
        sums = Windows().sums(connection, "films", bundle.digest, world.clock.now)
        facts = world.evaluator()._facts.of(bundle.digest)
        champion = ledger.registry.champion("films")
        found = [*champion_samples(connection, champion, records[0], facts, {"1h": sums["1h"]})]
        found += label_samples(connection, "films", records)
    return {each.name: each.value for each in found if each.labels.get("window") != "since_promotion"}


def test_open_rows_are_neither_unlabelled_nor_missed_and_settled_ones_are_seen_once(
    world: World, bundle: Bundle
) -> None:
    start, ledger = world.clock.now, world.ledger
    first = predict(world, bundle, 4)
    world.clock.now = start + 10
    ledger.labels.add_many([Label(first[0], 0), Label(first[0], 1), Label(first[1], 1), Label(first[2], 2)])
    (evidence,) = world.evaluator().step()
    assert evidence.labels == 0
    found = figures(world, bundle)
    assert (found["evertune_predicted_rows"], found["evertune_label_open_rows"]) == (4, 4)
    assert "evertune_label_coverage_ratio" not in found  # nothing could have a label yet
    assert found["evertune_label_last_arrival_timestamp_seconds"] == start + 10
    world.clock.now = start + _HORIZON_SECONDS + 1
    predict(world, bundle, 6)
    world.clock.now += 1
    assert figures(world, bundle)["evertune_label_coverage_ratio"] == 0  # due, and nobody has settled it
    (evidence,) = world.evaluator().step()
    assert evidence.labels == 4
    losses = [row.loss for row in ledger.losses.since("films", bundle.digest)]
    assert sorted(losses) == pytest.approx([0.0, 1 - 1 / np.log2(3), 1.0, 1.0])  # first, second, third of two, none
    found = figures(world, bundle)
    assert (found["evertune_label_open_rows"], found["evertune_label_coverage_ratio"]) == (6, 1.0)
    assert found["evertune_label_last_arrival_timestamp_seconds"] == start + 10  # conclusions are no labels that came
    ledger.labels.add_many([Label(first[3], 0), Label(first[1], 0, final=True)])  # late, and a correction
    (evidence,) = world.evaluator().step()
    assert evidence.labels == 4
    assert figures(world, bundle)["evertune_label_late_clicks_total"] == 1
    assert ledger.labels.latest(first) == {first[0]: 0, first[1]: 0, first[2]: 2, first[3]: -1}


def evaluate_forever(world: World) -> None:
    while True:
        world.evaluator().step()


def test_a_monitor_that_is_killed_at_any_moment_settles_and_sees_each_row_once(
    world: World, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evertune.ledger.horizons._ROWS", 7)  # many transactions to die in
    monkeypatch.setattr("monitoring.walk._BATCH", 11)
    rows = predict(world, bundle, 400)
    world.ledger.labels.add_many([Label(row, place % 3) for place, row in enumerate(rows[::2])])
    world.clock.now += _HORIZON_SECONDS + 1
    for least in (50, 200, 350):
        child = multiprocessing.get_context("fork").Process(target=evaluate_forever, args=(world,))
        child.start()
        while _stored(world, labels) < least:
            assert child.is_alive()
            time.sleep(0.0005)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        if least == 50:
            assert _stored(world, labels) < len(rows)  # or nothing was interrupted
    (evidence,) = world.evaluator().step()
    assert (evidence.labels, _stored(world, labels), _stored(world, row_losses)) == (400, 400, 400)
    found = Counter(row.label for row in world.ledger.labels.after("films", 0, 1000))
    assert found == {-1: 200, 0: 67, 1: 67, 2: 66}


def _stored(world: World, table: Any) -> int:
    with world.ledger.engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)
