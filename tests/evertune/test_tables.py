from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evertune.errors import DataError
from evertune.tables import read_table, typed

CSV = 'when,city,wind,note\n1,Oslo,3.5,"a, ""b"""\n2,,,\n'
READ = {"when": [1, 2], "city": ["Oslo", None], "wind": [3.5, None], "note": ['a, "b"', None]}


@pytest.mark.parametrize(("name", "pack"), [("t.csv", bytes), ("t.csv.gz", gzip.compress), ("t.csv.xz", lzma.compress)])
def test_a_csv_file_is_read_packed_or_not(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(pack(b"\xef\xbb\xbf" + CSV.encode()))
    assert read_table(tmp_path / name) == READ


def test_tabs_delimit_a_tsv_file(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("a\tb\n1\tx\n")
    assert read_table(tmp_path / "t.tsv") == {"a": [1], "b": ["x"]}


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    columns: dict[str, list[Any]] = {"a": [1, None], "b": ["007", "x"], "c": [0.5, None], "d": [True, False]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet") == columns


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", ""], [1, -2, None]),
        (["1", "2.5"], [1.0, 2.5]),
        ([".5", "5.", "1e-3", "+1"], [0.5, 5.0, 0.001, 1.0]),
        (["007", "8"], ["007", "8"]),
        (["1_000"], ["1_000"]),
        (["e5", ".", "-"], ["e5", ".", "-"]),
        (["1" * 30], ["1" * 30]),
        (["inf", "1"], ["inf", "1"]),
    ],
)
def test_a_column_is_numbers_only_if_all_values_are(values: list[str], expected: list[Any]) -> None:
    assert typed({"a": values}) == {"a": expected}


def test_columns_of_texts_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text\n1\n''\n\"\"\n")
    assert read_table(tmp_path / "t.csv", texts=["text"]) == {"text": ["1", "''", ""]}


@pytest.mark.parametrize(
    ("name", "content", "mentioned"),
    [
        ("t.csv", b"a,b\n1,2\n3\n", "line 3: 1 values for 2 columns"),
        ("t.csv", b"a,a\n1,2\n", "twice"),
        ("t.csv", b"a,b\n", "no rows"),
        ("t.csv", b"", "no rows"),
        ("t.csv", b"a\n\xff\n", "UTF-8"),
        ("t.csv.gz", b"a\n1\n", "cannot be read"),
        ("t.csv", b'a\n"1\n', "cannot be read"),
        ("t.parquet", b"a\n1\n", "Parquet"),
        ("t.xlsx", b"", "no table"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, mentioned: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=str(tmp_path)) as refused:
        read_table(tmp_path / name)
    assert mentioned in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*t\.csv"):
        read_table(tmp_path / "t.csv")
