from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from evertune.ids import new_request_ids
from evertune.ledger import Ledger
from evertune.settings import Project
from serve import frames
from serve.drain_process import DrainProcess
from serve.drainer import Drainer
from serve.record import BatchRecord
from serve.spool import CLOSED, OPEN, Spool

_OWNER = """
import sys
from pathlib import Path
from serve.spool import Spool
spool = Spool(Path(sys.argv[1]), limit_bytes=10**9)
for name in sys.argv[2:]:
    spool.append(Path(name).read_bytes())
    if name != sys.argv[-1]:
        spool.rotate()
print(spool.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with Ledger.open(project.ledger_url) as opened:
        yield opened


@pytest.fixture
def spool(project: Project) -> Iterator[Spool]:
    opened = Spool(project.spool, limit_bytes=10**9)
    yield opened
    opened._lock.close()
    os.close(opened._descriptor)


@pytest.fixture
def drainer(project: Project, spool: Spool, ledger: Ledger) -> Drainer:
    return Drainer(project.spool, spool.folder, ledger)


def record(ids: list[str]) -> bytes:
    count, now = len(ids), time.time()
    zeros = np.zeros((count, 2), np.float32)
    return BatchRecord(
        model="shoes",
        digest="ab" * 32,
        predicted_at=now,
        request_ids=ids,
        rows=[1] * count,
        kept=[True] * count,
        payload_propensity=1.0,
        key_ids=[""] * count,
        latency_seconds=[0.01] * count,
        outputs={"probabilities": zeros},
        inputs={"x": zeros},
        confidence=zeros[:, 0],
    ).to_bytes()


def append(spool: Spool, count: int) -> list[str]:
    ids = new_request_ids(count, time.time())
    spool.append(record(ids))
    return ids


def arrived(ledger: Ledger, ids: list[str]) -> bool:
    return ledger.predictions.known(ids) == set(ids)


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_closed_files_are_drained_and_removed_and_the_open_one_is_left(
    spool: Spool, drainer: Drainer, ledger: Ledger
) -> None:
    closed = append(spool, 3) + append(spool, 2)
    spool.rotate()
    still_open = append(spool, 1)
    assert drainer.drain_own() == 5
    assert ledger.predictions.known(closed + still_open) == set(closed)
    assert list(spool.folder.glob(f"*{CLOSED}")) == []
    assert drainer.drain_own() == 0


def test_a_file_that_is_drained_twice_counts_once(spool: Spool, drainer: Drainer, tmp_path: Path) -> None:
    append(spool, 4)
    spool.rotate()
    (path,) = spool.folder.glob(f"*{CLOSED}")
    shutil.copy(path, tmp_path / "copy")
    assert drainer.drain_own() == 4
    shutil.copy(tmp_path / "copy", path)  # as after a kill between commit and removal
    assert drainer.drain_own() == 0
    assert not path.exists()


def test_the_spool_of_the_living_is_left_alone_and_that_of_the_killed_taken_over(
    project: Project, drainer: Drainer, ledger: Ledger, tmp_path: Path
) -> None:
    ids = [new_request_ids(2, time.time()) for _ in range(3)]
    for index, some in enumerate(ids):
        (tmp_path / str(index)).write_bytes(record(some))
    names = [str(tmp_path / str(index)) for index in range(3)]
    command = [sys.executable, "-c", _OWNER, str(project.spool), *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert drainer.drain_orphans() == 0
        owner.kill()
    assert drainer.drain_orphans() == 6  # two closed files and the open one
    assert ledger.predictions.known(chain(*ids)) == set(chain(*ids))
    assert not folder.exists()


def test_the_torn_end_of_a_killed_worker_is_dropped_without_a_fuss(
    spool: Spool, project: Project, ledger: Ledger
) -> None:
    ids = append(spool, 2)
    with (spool.folder / f"{0:010d}{OPEN}").open("ab") as file:
        file.write(frames.frame(record(new_request_ids(1, time.time())))[:-7])
    spool._lock.close()  # as the kernel does with the files of the killed
    assert Drainer(project.spool, None, ledger).drain_orphans() == 2
    assert ledger.predictions.known(ids) == set(ids)
    assert list(project.spool.iterdir()) == []


def test_of_a_damaged_file_the_whole_records_are_saved_and_the_file_is_kept(
    spool: Spool, drainer: Drainer, ledger: Ledger, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    good = append(spool, 2)
    append(spool, 2)
    spool.rotate()
    (path,) = spool.folder.glob(f"*{CLOSED}")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    later = append(spool, 1)
    spool.rotate()
    assert drainer.drain_own() == 3
    assert ledger.predictions.known(good + later) == set(good + later)
    (kept,) = project.spool.glob("damaged-*")
    assert kept.read_bytes() == content
    assert kept.name in caplog.text
    assert drainer.drain_own() == drainer.drain_orphans() == 0  # it is not read again


def test_a_record_that_cannot_be_read_does_not_hold_up_those_behind_it(
    spool: Spool, drainer: Drainer, ledger: Ledger, project: Project
) -> None:
    before = append(spool, 1)
    spool.append(b"\x02\x00\x00\x00{}of another version")
    after = append(spool, 1)
    spool.rotate()
    later = append(spool, 1)
    spool.rotate()
    assert drainer.drain_own() == 3
    assert ledger.predictions.known(before + after + later) == {*before, *after, *later}
    assert len(list(project.spool.glob("damaged-*"))) == 1


def test_while_the_ledger_is_away_everything_stays_in_the_spool(
    spool: Spool, drainer: Drainer, ledger: Ledger, project: Project
) -> None:
    append(spool, 3)
    spool.rotate()
    database = project.state / "ledger.db"
    ledger.close()
    for path in project.state.glob("ledger.db*"):
        path.rename(path.with_name(f"away-{path.name}"))
    database.mkdir()
    with pytest.raises(Exception, match="ledger"):
        drainer.drain_own()
    assert len(list(spool.folder.glob(f"*{CLOSED}"))) == 1
    database.rmdir()
    for path in project.state.glob("away-*"):
        path.rename(path.with_name(path.name.removeprefix("away-")))
    assert drainer.drain_own() == 3


def test_a_drainer_that_is_killed_is_started_again_and_nothing_is_lost_or_doubled(
    project: Project, ledger: Ledger
) -> None:
    spool = Spool(project.spool, limit_bytes=10**9)

    async def run() -> list[str]:
        process = DrainProcess(project.root, spool, rotate_seconds=0.02)
        ids: list[str] = []
        for kill in (True, False):
            first = append(spool, 1)
            await asyncio.to_thread(wait_until, partial(arrived, ledger, first))
            for _ in range(50):
                ids += append(spool, 20)
            if kill:
                process._process.kill()
            ids += first
        await process.flush()
        assert ledger.predictions.known(ids) == set(ids)
        ids += append(spool, 1)
        await process.stop()
        return ids

    ids = asyncio.run(run())
    assert ledger.predictions.known(ids) == set(ids)
    assert len(ids) == len(set(ids))
    assert list(project.spool.iterdir()) == []
