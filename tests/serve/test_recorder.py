from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evertune.bundle import Bundle, BundleStore
from evertune.errors import OverloadedError
from evertune.tensors import Array, Tensors
from serve.errors import ModelError
from serve.record import BatchRecord
from serve.recorder import Recorder
from serve.reply import Reply
from serve.ticket import Outcome, Ticket

MakeBundle = Callable[..., Bundle]


@dataclass
class Desk:
    """A recorder whose records are kept in a list."""

    bundle: Bundle
    share_ratio: float = 1.0
    horizon_seconds: float = 0.0
    records: list[BatchRecord] = field(default_factory=list)
    counted: list[tuple[str, int]] = field(default_factory=list)
    dropped: list[tuple[str, int]] = field(default_factory=list)
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.recorder = Recorder(
            self.bundle,
            lambda payload: self.records.append(BatchRecord.from_bytes(payload)),
            lambda model, confidence: self.counted.append((model, len(confidence))),
            lambda model, rows: self.dropped.append((model, rows)),
            clock=lambda: 1000.5,
            draw=random.Random(0).random,
            payload_share_ratio=self.share_ratio,
            label_horizon_seconds=self.horizon_seconds,
        )

    def settle(self, rows: list[int], outputs: Array | None = None) -> tuple[list[Ticket], list[Any]]:
        """Requests of so many rows; the first pixel of each row is its number in the batch."""
        tickets = asyncio.run(_tickets(rows))
        inputs: Tensors = {"image": np.concatenate([ticket.inputs["image"] for ticket in tickets])}
        inputs["image"][:, 0, 0] = np.arange(sum(rows))
        if outputs is None:
            outputs = np.random.default_rng(0).dirichlet(np.ones(3), sum(rows)).astype(np.float32)
        return tickets, self.recorder.settle(tickets, inputs, {"probabilities": outputs})


async def _tickets(rows: list[int]) -> list[Ticket]:
    return [
        Ticket(
            {"image": np.zeros((count, 4, 4), np.uint8)},
            count,
            f"key {index}",
            time.monotonic() - 1,
            lambda outcome: Reply.json(outcome.request_id),
            asyncio.get_running_loop().create_future(),
        )
        for index, count in enumerate(rows)
    ]


@pytest.fixture
def bundle(tmp_path: Path, make_bundle: MakeBundle) -> Bundle:
    return make_bundle(BundleStore(str(tmp_path / "bundles")), 1)


def test_each_request_gets_its_own_rows_and_the_record_says_the_same(bundle: Bundle) -> None:
    desk = Desk(bundle)
    rows = [1, 3, 2]
    outputs = np.arange(18, dtype=np.float32).reshape(6, 3) / 18
    _, outcomes = desk.settle(rows, outputs)
    (record,) = desk.records
    predictions = list(record.predictions())
    start = 0
    for index, (count, outcome, prediction) in enumerate(zip(rows, outcomes, predictions, strict=True)):
        assert isinstance(outcome, Outcome)
        mine = slice(start, start + count)
        assert outcome.request_id == prediction.request_id
        for probabilities in (outcome.outputs["probabilities"], prediction.outputs["probabilities"]):
            np.testing.assert_array_equal(probabilities, outputs[mine])
        np.testing.assert_allclose(outcome.confidence, outputs[mine].max(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(prediction.confidence, outcome.confidence)
        assert prediction.inputs is not None
        assert prediction.inputs["image"][:, 0, 0].tolist() == list(range(start, start + count))
        assert (prediction.key_id, prediction.rows, prediction.predicted_at) == (f"key {index}", count, 1000.5)
        assert prediction.latency_seconds > 1
        assert not prediction.label_selection_known
        start += count
    assert desk.counted == [("shoes", 6)]


def test_inputs_are_kept_for_the_share_that_was_drawn_and_it_is_written_down(bundle: Bundle) -> None:
    desk = Desk(bundle, share_ratio=0.25)
    for _ in range(20):
        desk.settle([1, 2] * 50)
    predictions = [one for record in desk.records for one in record.predictions()]
    kept = [one for one in predictions if one.inputs is not None]
    assert 0.2 < len(kept) / len(predictions) < 0.3
    assert {one.payload_propensity for one in predictions} == {0.25}
    for one in kept:
        assert one.inputs is not None
        assert len(one.inputs["image"]) == one.rows


@pytest.mark.parametrize(("share_ratio", "kept"), [(0.0, False), (1.0, True)])
def test_none_or_all_of_the_inputs(bundle: Bundle, share_ratio: float, kept: bool) -> None:
    desk = Desk(bundle, share_ratio)
    desk.settle([1] * 200)
    assert {one.inputs is not None for one in desk.records[0].predictions()} == {kept}


def test_kept_inputs_stay_with_their_request(bundle: Bundle) -> None:
    desk = Desk(bundle, share_ratio=0.5)
    rows = [1, 2, 3, 1, 2, 3]
    desk.settle(rows)
    start = 0
    for prediction in desk.records[0].predictions():
        if prediction.inputs is not None:
            assert prediction.inputs["image"][:, 0, 0].tolist() == list(range(start, start + prediction.rows))
        start += prediction.rows


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_request_without_finite_answers_is_refused_and_not_recorded(bundle: Bundle, value: float) -> None:
    desk = Desk(bundle)
    outputs = np.full((6, 3), 1 / 3, np.float32)
    outputs[2, 1] = value  # a row of the second request
    _, outcomes = desk.settle([1, 3, 2], outputs)
    assert [type(outcome) for outcome in outcomes] == [Outcome, ModelError, Outcome]
    predictions = list(desk.records[0].predictions())
    assert [one.request_id for one in predictions] == [outcomes[0].request_id, outcomes[2].request_id]
    assert [one.inputs["image"][:, 0, 0].tolist() for one in predictions if one.inputs] == [[0], [4, 5]]
    assert desk.counted == [("shoes", 3)]


def test_a_batch_of_nothing_but_nonsense_records_nothing(bundle: Bundle) -> None:
    desk = Desk(bundle)
    _, outcomes = desk.settle([1, 1], np.full((2, 3), np.nan, np.float32))
    assert [type(outcome) for outcome in outcomes] == [ModelError, ModelError]
    assert desk.records == []


def test_what_cannot_be_recorded_is_not_answered(bundle: Bundle) -> None:
    def full(_: bytes) -> None:
        raise OverloadedError("the spool is full")

    desk = Desk(bundle)
    desk.recorder = Recorder(
        bundle,
        full,
        desk.recorder._count,
        desk.recorder._drop,
        clock=time.time,
        draw=random.random,
        payload_share_ratio=1.0,
    )
    with pytest.raises(OverloadedError):
        desk.settle([1, 2])
    assert desk.counted == []
    assert desk.dropped == [("shoes", 3)]


def test_only_rankings_have_a_horizon(bundle: Bundle) -> None:
    ranking = replace(bundle, manifest=replace(bundle.manifest, kind="ranking", parameters={"top_k": 2}))
    for each, seconds in ((bundle, 0.0), (ranking, 60.0)):
        desk = Desk(each, horizon_seconds=60.0)
        tickets = asyncio.run(_tickets([1, 2]))
        inputs = {"image": np.concatenate([ticket.inputs["image"] for ticket in tickets])}
        scores = np.full((3, 3), 1 / 3, np.float32)
        desk.recorder.settle(tickets, inputs, {"probabilities": scores, "scores": scores})
        assert [one.label_horizon_seconds for one in desk.records[0].predictions()] == [seconds] * 2


def test_an_id_that_the_client_chose_is_recorded(bundle: Bundle) -> None:
    desk = Desk(bundle)
    chosen = "01890a5d-ac96-774b-bcce-b302099a8057"
    tickets = asyncio.run(_tickets([1, 1]))
    tickets[1].request_id = chosen
    inputs: Tensors = {"image": np.zeros((2, 4, 4), np.uint8)}
    outcomes = desk.recorder.settle(tickets, inputs, {"probabilities": np.full((2, 3), 1 / 3, np.float32)})
    ids = [outcome.request_id for outcome in outcomes if isinstance(outcome, Outcome)]
    assert ids == desk.records[0].request_ids
    assert ids[1] == chosen
    assert ids[0] != chosen
