from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evertune.errors import SearchError
from tune.journal import Follower, Journal, read_entries


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study" / "journal.jsonl"


def write(path: Path, count: int) -> None:
    journal = Journal(path)
    for number in range(count):
        journal.append("entry", number=number)
    journal.close()


def numbers(path: Path) -> list[int]:
    return [entry["number"] for entry in read_entries(path)[0]]


def test_what_was_appended_is_there_when_it_is_opened_again(path: Path) -> None:
    write(path, 3)
    journal = Journal(path, clock=lambda: 12.3456)
    assert [entry["number"] for entry in journal.entries] == [0, 1, 2]
    journal.append("entry", number=3, nested={"a": [1.5, None, "é"]})
    journal.close()
    written = {"event": "entry", "at": 12.346, "number": 3, "nested": {"a": [1.5, None, "é"]}}
    assert read_entries(path)[0][-1] == written


def test_an_entry_is_in_the_file_when_append_returns(path: Path) -> None:
    journal = Journal(path)
    journal.append("entry", number=7)
    assert numbers(path) == [7]
    assert journal.entries == read_entries(path)[0]
    journal.close()


def test_a_last_line_torn_anywhere_is_dropped_and_nothing_else(path: Path) -> None:
    write(path, 3)
    whole = path.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        journal = Journal(path)
        journal.append("entry", number=9)
        journal.close()
        assert numbers(path) == [0, 1, 9]


@pytest.mark.parametrize("damage", [b'{"event":"en', b"\xff\xfe\x00", b"", b"17", b'{"number":1}'])
def test_a_damaged_line_in_the_middle_is_named(path: Path, damage: bytes) -> None:
    write(path, 3)
    lines = path.read_bytes().split(b"\n")
    lines[1] = damage
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(SearchError, match=r"line 2 of .*journal\.jsonl") as caught:
        Journal(path)
    assert caught.value.details == {"file": str(path), "line": 2}
    assert "Restore" in str(caught.value)
    assert path.read_bytes() == b"\n".join(lines)  # left as it was found


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [float("-inf")]}])
def test_a_value_without_a_word_in_json_is_refused_and_leaves_no_trace(path: Path, value: Any) -> None:
    write(path, 1)
    journal = Journal(path)
    with pytest.raises(ValueError, match="JSON"):
        journal.append("entry", number=value)
    journal.append("entry", number=1)
    journal.close()
    assert numbers(path) == [0, 1]


def test_half_a_line_that_a_full_disk_left_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, 1)
    journal = Journal(path)
    real, calls = os.write, [0]

    def fill_up(descriptor: int, data: Any) -> int:
        calls[0] += 1
        if calls[0] > 1:
            raise OSError(28, "No space left on device")
        return real(descriptor, bytes(data)[:5])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fill_up)
        with pytest.raises(OSError, match="No space"):
            journal.append("entry", number=1)
    journal.append("entry", number=2)
    journal.close()
    assert numbers(path) == [0, 2]
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_no_file_has_no_entries(path: Path) -> None:
    assert read_entries(path) == ([], 0)


def test_a_follower_gets_each_whole_entry_once(path: Path) -> None:
    follower = Follower(path)
    assert follower.new() == []
    write(path, 2)
    assert [entry["number"] for entry in follower.new()] == [0, 1]
    with path.open("ab") as file:
        file.write(b'{"event":"entry","num')
    assert follower.new() == []
    with path.open("ab") as file:
        file.write(b'ber":2}\n')
    assert [entry["number"] for entry in follower.new()] == [2]
    assert follower.new() == []
