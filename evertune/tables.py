"""Tables from files: columns by name, with the types that JSON has."""

from __future__ import annotations

import csv
import gzip
import lzma
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from evertune.errors import DataError

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
# "007" is a name, and so is what has more digits than int64, or underscores, which Python's own parsers take.
_DIGITS = "(?:0|[1-9][0-9]{0,17})"
_WHOLE = re.compile(f"-?{_DIGITS}")
_NUMBER = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[nN]a[nN]")
_MOST_CHARACTERS = 10_000_000  # of one value; the csv module's own limit is 131,072, which long texts exceed


def read_table(path: Path, *, texts: Collection[str] = ()) -> dict[str, list[Any]]:
    """Reads a CSV, TSV or Parquet file.

    Parquet says what its columns hold. In a CSV file (UTF-8, first line the names, `.gz` or `.xz` if compressed) a
    column whose values all are numbers holds numbers, every other one texts; an empty value is missing (None).

    Args:
        path: Ends in .csv, .tsv (either compressed) or .parquet.
        texts: Columns of a CSV file that stay texts, even if they look like numbers.

    Returns:
        Lists of one length, by column: numbers, texts, booleans or None.

    Raises:
        DataError: No such file, an unknown ending, a line with too many or too few values (names it), no rows.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}", fix="Put the table there, or correct the path.", file=str(path))
    columns = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path, texts)
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(f"{path} has no rows", fix="Give a table with a line of names and at least one row.")
    return columns


def typed(columns: Mapping[str, Sequence[str]], texts: Collection[str] = ()) -> dict[str, list[Any]]:
    """Texts as numbers, where all values of a column are numbers or empty, except in the columns `texts`.

    Example:
        >>> typed({"a": ["1", "2", ""], "b": ["1.5", "2"], "c": ["1", "007"], "d": ["3", ""]}, texts=["d"])
        {'a': [1, 2, None], 'b': [1.5, 2.0], 'c': ['1', '007'], 'd': ['3', '']}
    """
    return {name: list(values) if name in texts else _typed(values) for name, values in columns.items()}


def _typed(values: Sequence[str]) -> list[Any]:
    if all(value == "" or _WHOLE.fullmatch(value) for value in values):
        return [int(value) if value else None for value in values]
    if all(value == "" or _NUMBER.fullmatch(value) for value in values):
        return [float(value) if value else None for value in values]
    return [value or None for value in values]


def _read_csv(path: Path, texts: Collection[str]) -> dict[str, list[Any]]:
    endings = path.suffixes[-2:]
    delimiter = next((_DELIMITERS[ending] for ending in endings if ending in _DELIMITERS), None)
    if delimiter is None or endings[-1] not in {*_OPENERS, *_DELIMITERS}:
        raise DataError(f"{path} is no table that can be read", fix="Give a .csv, .tsv or .parquet file.")
    opener = _OPENERS.get(endings[-1], open)
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            return typed(_parse(file, delimiter, path), texts)
    except (UnicodeDecodeError, OSError, EOFError, lzma.LZMAError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}", fix="Save it as UTF-8 text.", file=str(path)) from error


def _parse(file: IO[str], delimiter: str, path: Path) -> dict[str, list[str]]:
    csv.field_size_limit(_MOST_CHARACTERS)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    names = next(reader, [])
    rows: list[list[str]] = []
    for row in reader:
        if row and len(row) != len(names):
            raise DataError(
                f"{path}, line {reader.line_num}: {len(row)} values for {len(names)} columns",
                fix="Correct that line; a value that holds the delimiter stands in double quotes.",
                file=str(path),
                line=reader.line_num,
            )
        rows += [row] if row else []
    if len(set(names)) != len(names):
        raise DataError(f"{path} has a column name twice: {names}", fix="Name each column differently.")
    return _transposed(names, rows)


def _transposed(names: Sequence[str], rows: Iterable[list[str]]) -> dict[str, list[str]]:
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=False))


def _read_parquet(path: Path) -> dict[str, list[Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow", fix="pip install pyarrow", file=str(path)) from error
    try:
        columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    except Exception as error:  # pyarrow's exceptions share no base class
        raise DataError(f"{path} cannot be read: {error}", fix="Give a Parquet file.", file=str(path)) from error
    return columns
