from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evertune.errors import OverloadedError
from serve import frames
from serve.spool import CLOSED, LOCK, OPEN, Spool


def records(spool: Spool) -> list[bytes]:
    paths = sorted((*spool.folder.glob(f"*{CLOSED}"), *spool.folder.glob(f"*{OPEN}")))
    contents = [frames.read(path) for path in paths]
    assert [one.damage for one in contents] == [None] * len(paths)
    return [payload for one in contents for payload in one.payloads]


@contextmanager
def limited(kind: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def test_records_lie_in_order_in_files_that_are_closed_one_by_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**6)
    for index in range(5):
        spool.append(b"%d" % index)
        if index % 2:
            spool.rotate()
    spool.rotate()
    spool.rotate()  # nothing new: no empty files
    assert [path.name for path in sorted(spool.folder.glob(f"*{CLOSED}"))] == [
        f"{number:010d}{CLOSED}" for number in range(3)
    ]
    assert records(spool) == [b"0", b"1", b"2", b"3", b"4"]
    spool.close()


def test_a_large_file_is_closed_by_itself(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**9)
    for _ in range(10):
        spool.append(bytes(1_000_000))
    assert len(list(spool.folder.glob(f"*{CLOSED}"))) == 1
    spool.close()


def test_what_waits_is_counted_until_it_is_drained(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**6)
    spool.append(b"12345")
    assert spool.waiting_bytes == len(frames.frame(b"12345"))
    spool.rotate()
    spool.append(b"6")
    assert spool.waiting_bytes == len(frames.frame(b"12345") + frames.frame(b"6"))
    for path in spool.folder.glob(f"*{CLOSED}"):
        path.unlink()
    spool.rotate()
    assert spool.waiting_bytes == len(frames.frame(b"6"))
    spool.close()


def test_a_full_spool_refuses_and_takes_again_when_it_was_drained(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=100)
    spool.append(bytes(60))
    for _ in range(2):  # with the bytes in the open file, and in a closed one
        with pytest.raises(OverloadedError, match="spool is full"):
            spool.append(bytes(60))
        spool.rotate()
    assert records(spool) == [bytes(60)]
    for path in spool.folder.glob(f"*{CLOSED}"):
        path.unlink()
    spool.rotate()
    spool.append(bytes(60))
    spool.close()


def test_a_write_that_fails_half_way_leaves_no_torn_record_before_the_next(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**6)
    spool.append(b"a" * 100_000)
    with limited(resource.RLIMIT_FSIZE, 150_000), pytest.raises(OverloadedError, match="takes no writes"):
        spool.append(b"b" * 100_000)
    spool.append(b"c" * 100_000)
    assert records(spool) == [b"a" * 100_000, b"c" * 100_000]
    spool.close()


def test_without_a_free_descriptor_the_current_file_goes_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**9)
    spool.append(b"first")
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    with limited(resource.RLIMIT_NOFILE, free):
        with pytest.raises(OSError, match="Too many open files"):
            spool.rotate()
        spool.append(bytes(9_000_000))  # large enough to be closed by itself
        spool.append(b"last")
    spool.rotate()
    assert records(spool) == [b"first", bytes(9_000_000), b"last"]
    spool.close()


def test_the_owner_holds_the_lock_until_it_closes_and_leaves_no_empty_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=10**6)
    spool.append(b"record")
    with (spool.folder / LOCK).open("rb") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        spool.close()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert sorted(path.name for path in spool.folder.iterdir()) == [f"{0:010d}{CLOSED}", LOCK]


def test_two_spools_of_one_process_do_not_meet(tmp_path: Path) -> None:
    spools = [Spool(tmp_path, limit_bytes=10**6) for _ in range(2)]
    assert spools[0].folder != spools[1].folder
    for spool in spools:
        spool.close()
