from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evertune.files import write_atomic

_REWRITE = """
import sys
from pathlib import Path
from evertune.files import write_atomic
print("ready", flush=True)
while True:
    for letter in b"ab":
        write_atomic(Path(sys.argv[1]), bytes([letter]) * 3_000_000)
"""


def test_content_is_replaced_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["file"]


def test_a_failed_write_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_atomic(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_target_that_cannot_be_replaced_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="file"):
        write_atomic(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]


def test_a_reader_and_a_kill_see_whole_content_only(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"a" * 3_000_000)
    child = subprocess.Popen([sys.executable, "-c", _REWRITE, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    seen = set()
    for _ in range(2000):
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert content.count(content[:1]) == len(content)
        seen.add(content[:1])
        if len(seen) == 2:
            break
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert path.read_bytes() in (b"a" * 3_000_000, b"b" * 3_000_000)
    assert seen == {b"a", b"b"}
