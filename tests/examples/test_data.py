"""Finding public data: a folder, a download, a check. The server is a local one."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evertune.errors import DataError
from examples import _data

ROWS = b"1,a\n2,b\n"
FILE = b"number,name\n" + ROWS


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A data set of two rows, at a server that counts its visitors."""
    answers: dict[str, bytes] = {"/small.csv": FILE}
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path in answers else 404)
            self.end_headers()
            self.wfile.write(answers.get(self.path, b""))

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()  # seconds between looks
        url = f"http://127.0.0.1:{server.server_address[1]}/small.csv"
        digest = hashlib.sha256(ROWS).hexdigest()
        dataset = _data._Dataset("small/small.csv.gz", url, ("n", "text"), ",", "number", digest)
        monkeypatch.setitem(_data.DATASETS, "small", dataset)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.delenv("EVERTUNE_DATA", raising=False)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield answers, asked
        server.shutdown()


def test_a_folder_comes_first_packed_or_not(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = small
    monkeypatch.setenv("EVERTUNE_DATA", str(tmp_path))
    (tmp_path / "small").mkdir()
    for content in (FILE, gzip.compress(FILE), ROWS):
        (tmp_path / "small" / "small.csv.gz").write_bytes(content)
        assert _data.read_dataset("small") == {"n": [1, 2], "text": ["a", "b"]}
    assert asked == []


def test_a_download_is_kept(small: Any, tmp_path: Path) -> None:
    _, asked = small
    for _ in range(2):
        assert _data.read_dataset("small") == {"n": [1, 2], "text": ["a", "b"]}
    assert asked == ["/small.csv"]
    assert (tmp_path / "cache" / "evertune" / "data" / "small.txt").read_bytes() == ROWS


def test_a_member_of_an_archive_is_taken_out(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, _ = small
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inside.csv", FILE)
    answers["/small.csv"] = packed.getvalue()
    monkeypatch.setitem(_data.DATASETS, "small", replace(_data.DATASETS["small"], member="inside.csv"))
    assert _data.read_dataset("small")["n"] == [1, 2]
    monkeypatch.setitem(_data.DATASETS, "small", replace(_data.DATASETS["small"], member="missing.csv"))


def test_other_content_is_refused_and_not_kept(small: Any, tmp_path: Path) -> None:
    answers, _ = small
    answers["/small.csv"] = FILE + b"3,c\n"
    with pytest.raises(DataError, match=r"other rows: SHA-256"):
        _data.read_dataset("small")
    assert not (tmp_path / "cache").exists()


def test_without_a_network_it_says_where_to_get_the_file(small: Any) -> None:
    answers, _ = small
    answers.clear()
    with pytest.raises(DataError, match=r"cannot be downloaded.*small/small\.csv\.gz.*EVERTUNE_DATA"):
        _data.read_dataset("small")


def test_a_folder_without_the_file_is_told_so(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERTUNE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"EVERTUNE_DATA has no .*small\.csv\.gz"):
        _data.read_dataset("small")


def test_every_data_set_has_a_home_and_a_checksum() -> None:
    for dataset in _data.DATASETS.values():
        assert dataset.url.startswith("https://")
        assert len(dataset.sha256) == 64
