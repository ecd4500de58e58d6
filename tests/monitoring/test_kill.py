from __future__ import annotations

import multiprocessing
import os
import signal
import time
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from evertune.ledger.schema import detectors, row_losses

World = Any  # of conftest.py

_LABELS = 1200
_KILLS = 6


def everything(world: World) -> Any:
    records = sorted(world.ledger.detectors.list("fashion"), key=lambda record: record.digest)
    losses = [world.ledger.losses.since("fashion", record.digest) for record in records]
    cursor = max(record.last_sequence for record in records)  # of the model; one record alone may lag behind it
    return cursor, [(record.digest, record.state) for record in records], losses


def eaten(world: World) -> int:
    with world.ledger.engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(row_losses)) or 0)


def evaluate_forever(world: World) -> None:
    while True:
        world.evaluator().step()


def test_kill_at_any_moment_and_replay_give_the_same_state(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.walk._BATCH", 11)  # many transactions to die in
    first, second = world.bundle(), world.bundle(temperature=2.0)
    world.promote(first)
    rows = [
        row
        for pair in zip(world.predict(first, _LABELS // 2), world.predict(second, _LABELS // 2), strict=True)
        for row in pair
    ]
    world.label(rows, wrong=0.2)
    for kill in range(1, _KILLS):
        child = multiprocessing.get_context("fork").Process(target=evaluate_forever, args=(world,))
        child.start()
        while eaten(world) < kill * 150:
            assert child.is_alive()
            time.sleep(0.0005)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    assert eaten(world) < _LABELS  # or nothing was interrupted
    world.evaluator().step()
    survived = everything(world)
    assert eaten(world) == _LABELS
    assert len(world.ledger.requests.list()) == 1
    with world.ledger.engine.begin() as connection:
        connection.execute(delete(detectors))
        connection.execute(delete(row_losses))
    monkeypatch.undo()  # and in other pieces
    world.evaluator().step()
    assert everything(world) == survived
