from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from evertune.errors import BundleError, InputError, OverloadedError, TooLargeError, UnknownRowError
from evertune.ids import new_request_id, new_request_ids
from evertune.kinds import kind_of
from evertune.ledger import LabelReceipt, Ledger, Prediction
from evertune.settings import Project
from serve.label_desk import LabelDesk, read_labels

NAMES = ("boot", "sandal", "sneaker")
AWAY = "ff" * 32  # of a bundle whose store does not answer
NEW, KNOWN, CHANGED = LabelReceipt(1, 0, 0), LabelReceipt(0, 1, 0), LabelReceipt(0, 0, 1)
Flush = Callable[[], Awaitable[None]]


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with Ledger.open(project.ledger_url) as opened:
        yield opened


def predict(ledger: Ledger, count: int, digest: str = "ab" * 32) -> list[str]:
    """Row ids of new predictions, one row each."""
    now = time.time()
    one = np.ones((1, 3), np.float32)
    ids = new_request_ids(count, now)
    ledger.predictions.add_many([Prediction(each, "shoes", digest, now, {"p": one}, one[:, 0]) for each in ids])
    return [f"{each}:0" for each in ids]


def encoders(model: str, digest: str) -> Callable[[Any], float]:
    if digest == AWAY:
        raise BundleError("the store is away")
    return partial(kind_of("classification").encode_label, labels=NAMES)


async def nothing_waits() -> None:
    pass


def ask(ledger: Ledger, *requests: Sequence[tuple[Any, ...]], flush: Flush = nothing_waits) -> list[Any]:
    """Sends requests at the same time; the receipt or the error of each."""

    async def run() -> list[Any]:
        desk = LabelDesk(ledger, encoders, flush)
        return await asyncio.gather(*(desk.accept(items, "key") for items in requests), return_exceptions=True)

    return asyncio.run(run())


def stored(project: Project, identifier: str) -> list[int]:
    """What another process would find on disk, all revisions."""
    with Ledger.open(project.ledger_url) as other, other.engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT label FROM labels WHERE request_id = ? ORDER BY revision", (identifier.split(":")[0],)
        )
        return [int(label) for (label,) in found]


def test_a_label_is_on_disk_when_it_is_acknowledged(project: Project, ledger: Ledger) -> None:
    by_name, by_index = predict(ledger, 2)
    assert ask(ledger, [(by_name, "sneaker")], [(by_index, 1)]) == [NEW, NEW]
    assert (stored(project, by_name), stored(project, by_index)) == ([2], [1])


def test_a_hundred_requests_at_once_share_a_few_transactions(project: Project, ledger: Ledger) -> None:
    ids = predict(ledger, 100)
    commits: list[bool] = []
    event.listen(ledger.engine, "commit", lambda _: commits.append(True))
    assert ask(ledger, *([(identifier, "boot")] for identifier in ids)) == [NEW] * 100
    assert len(commits) <= 4
    assert all(stored(project, identifier) == [0] for identifier in ids[::10])


def test_of_a_hundred_equal_labels_at_once_one_is_new(project: Project, ledger: Ledger) -> None:
    (identifier,) = predict(ledger, 1)
    receipts = ask(ledger, *([[(identifier, "boot")]] * 100))
    assert sorted(receipts, key=str) == [KNOWN] * 99 + [NEW]
    assert stored(project, identifier) == [0]


def test_a_correction_is_one_more_revision(project: Project, ledger: Ledger) -> None:
    (identifier,) = predict(ledger, 1)
    assert ask(ledger, [(identifier, "boot")], [(identifier, "boot")], [(identifier, "sandal")]) == [
        NEW,
        KNOWN,
        CHANGED,
    ]
    assert ask(ledger, [(identifier, "boot"), (identifier, "boot")]) == [LabelReceipt(0, 1, 1)]
    assert stored(project, identifier) == [0, 1, 0]


def test_a_request_is_stored_whole_or_not_at_all_and_its_neighbours_do_not_mind(
    project: Project, ledger: Ledger
) -> None:
    ids = predict(ledger, 6)
    unknown = f"{new_request_id()}:0"
    answers = ask(
        ledger,
        [(ids[0], "boot")],
        [(ids[1], "boot"), (unknown, "boot")],
        [(ids[2], "boot"), (ids[3], "hat")],
        [(ids[4], "boot"), ("no id", "boot")],
        [(ids[5], "boot")],
    )
    assert [type(answer) for answer in answers] == [
        *(LabelReceipt, UnknownRowError, InputError, InputError, LabelReceipt)
    ]
    assert unknown in str(answers[1])
    assert "'hat'" in str(answers[2])
    assert [stored(project, identifier) for identifier in ids] == [[0], [], [], [], [], [0]]


def test_labels_of_predictions_that_are_still_in_a_spool_wait_for_them(project: Project, ledger: Ledger) -> None:
    one = np.ones((1, 3), np.float32)
    waiting = Prediction(new_request_id(), "shoes", "ab" * 32, time.time(), {"p": one}, one[:, 0])

    async def flush() -> None:
        ledger.predictions.add_many([waiting])

    assert ask(ledger, [(f"{waiting.request_id}:0", "sandal")], flush=flush) == [NEW]


def test_the_spools_are_not_flushed_for_predictions_that_are_in_the_ledger(ledger: Ledger) -> None:
    async def flush() -> None:
        raise AssertionError("nobody needs it")

    assert ask(ledger, [(predict(ledger, 1)[0], "boot")], flush=flush) == [NEW]


def test_a_spool_that_does_not_drain_keeps_back_only_the_labels_that_wait_for_it(
    project: Project, ledger: Ledger
) -> None:
    known = predict(ledger, 2)

    async def flush() -> None:
        raise OverloadedError("predictions are still on their way")

    late = f"{new_request_id()}:0"
    answers = ask(ledger, [(known[0], "boot")], [(known[1], "boot"), (late, "boot")], flush=flush)
    assert answers[0] == NEW
    assert isinstance(answers[1], OverloadedError)
    assert stored(project, known[1]) == []


def test_a_bundle_that_is_away_keeps_back_only_the_labels_of_its_predictions(ledger: Ledger) -> None:
    (here,), (away,) = predict(ledger, 1), predict(ledger, 1, AWAY)
    answers = ask(ledger, [(here, "boot")], [(away, "boot")])
    assert [type(answer) for answer in answers] == [LabelReceipt, BundleError]


def test_after_an_error_of_the_database_the_next_labels_are_taken(project: Project, ledger: Ledger) -> None:
    (identifier,) = predict(ledger, 1)

    async def run() -> None:
        desk = LabelDesk(ledger, encoders, nothing_waits)
        with ledger.engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE labels RENAME TO elsewhere")
            connection.commit()
        with pytest.raises(Exception, match="labels"):
            await desk.accept([(identifier, "boot")], "key")
        with ledger.engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO labels")
            connection.commit()
        assert await desk.accept([(identifier, "boot")], "key") == NEW

    asyncio.run(run())


def test_closing_waits_for_what_was_taken(project: Project, ledger: Ledger) -> None:
    ids = predict(ledger, 20)

    async def run() -> list[asyncio.Task[LabelReceipt]]:
        desk = LabelDesk(ledger, encoders, nothing_waits)
        tasks = [asyncio.create_task(desk.accept([(identifier, "boot")], "key")) for identifier in ids]
        await asyncio.sleep(0)
        await desk.close()
        return tasks

    assert all(task.done() for task in asyncio.run(run()))
    assert all(stored(project, identifier) == [0] for identifier in ids)


def test_too_many_labels_are_refused_before_anything_is_done(ledger: Ledger) -> None:
    identifier = f"{new_request_id()}:0"
    (answer,) = ask(ledger, [(identifier, "boot")] * 10_001)
    assert isinstance(answer, TooLargeError)
    flood = ask(ledger, *([[(identifier, "boot")] * 10_000] * 11))
    assert [type(answer) for answer in flood] == [UnknownRowError] * 10 + [OverloadedError]


def test_clicks_keep_their_time_and_a_final_label_is_none(ledger: Ledger) -> None:
    now, one = time.time(), np.ones((1, 3), np.float32)
    (request_id,) = new_request_ids(1, now)
    prediction = Prediction(request_id, "shoes", "ab" * 32, now, {"p": one}, one[:, 0], label_horizon_seconds=3600.0)
    ledger.predictions.add_many([prediction])
    row = {"id": f"{request_id}:0"}
    clicks = read_labels({"labels": [{**row, "label": "boot"}, {**row, "label": "sandal", "at": now}]})
    assert ask(ledger, clicks, clicks) == [LabelReceipt(2, 0, 0), LabelReceipt(0, 2, 0)]
    assert ask(ledger, read_labels({"labels": [{**row, "label": "boot", "at": now + 3601}]})) == [
        LabelReceipt(0, 0, 0, late=1)
    ]
    assert ledger.labels.latest([row["id"]]) == {}
    assert ask(ledger, read_labels({"labels": [{**row, "label": "sneaker", "final": True}]})) == [NEW]
    assert ledger.labels.latest([row["id"]]) == {row["id"]: 2}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"labels": {}},
        {"labels": [[]]},
        {"labels": [{"id": 7, "label": 1}]},
        {"labels": [{"id": "x"}]},
        {"labels": [{"label": 1}]},
        {"labels": [{"id": "x", "label": 1, "at": "noon"}]},
        {"labels": [{"id": "x", "label": 1, "at": True}]},
        {"labels": [{"id": "x", "label": 1, "final": 1}]},
    ],
)
def test_malformed_requests_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="labels"):
        read_labels(document)
