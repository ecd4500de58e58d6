"""Files of labels, line by line, whatever their format: a new format is one function and one line in `_READERS`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cli.labels.entry import Columns, Entry
from cli.labels.parquet import pyarrow_parquet
from evertune.errors import InputError

_BATCH_ROWS = 10_000  # of a Parquet file, in memory at once


def read_entries(path: Path, columns: Columns) -> Iterator[Entry]:
    """Reads a file as it comes; its size does not matter.

    Args:
        path: `.csv`, `.tsv`, `.jsonl` (or `.ndjson`), `.parquet`.
        columns: Names in the CSV header, keys of the JSON objects, or columns of the Parquet file.

    Raises:
        InputError: No such file, an unknown format, a missing column, or content that is not of that format.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise InputError(f"{path.name}: unknown format {path.suffix!r}", fix=f"Name the file by its format: {known}.")
    if not path.is_file():
        raise InputError(f"there is no file {path}", fix="Correct the path.", file=str(path))
    yield from reader(path, columns)


def _csv(path: Path, columns: Columns, delimiter: str) -> Iterator[Entry]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = next(reader, [])
            _require(path, columns, header)
            places = [header.index(name) for name in columns.names]
            for row in reader:
                if row:
                    yield _csv_entry(reader.line_num, row, places, len(header))
        except (csv.Error, UnicodeDecodeError) as error:
            raise _broken(path, reader.line_num + 1, error) from error


def _csv_entry(line: int, row: Sequence[str], places: Sequence[int], width: int) -> Entry:
    if len(row) != width:
        return Entry(line, problem=f"{len(row)} fields, the header has {width}")
    return Entry(line, *(row[place] for place in places))


def _json_lines(path: Path, columns: Columns) -> Iterator[Entry]:
    with path.open("rb") as file:
        for line, text in enumerate(file, 1):
            if text.strip():
                yield _json_entry(line, text, columns)


def _json_entry(line: int, text: bytes, columns: Columns) -> Entry:
    try:
        found = json.loads(text)
    except ValueError as error:
        return Entry(line, problem=f"not JSON: {error}")
    if not isinstance(found, dict) or not found.keys() >= set(columns.names):
        return Entry(line, problem=f"no object with {', '.join(columns.names)}")
    return Entry(line, *(found[name] for name in columns.names))


def _parquet(path: Path, columns: Columns) -> Iterator[Entry]:
    pyarrow, parquet = pyarrow_parquet()
    try:
        with parquet.ParquetFile(path) as file:
            _require(path, columns, file.schema_arrow.names)
            line = 1
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns.names):
                values = [batch.column(name).to_pylist() for name in columns.names]
                for row in zip(*values, strict=True):
                    yield Entry(line, *row)
                    line += 1
    except pyarrow.ArrowException as error:
        raise _broken(path, None, error) from error


def _require(path: Path, columns: Columns, found: Sequence[str]) -> None:
    missing = [name for name in columns.names if name not in found]
    if missing:
        raise InputError(
            f"{path.name} has no column {', '.join(map(repr, missing))}; it has {', '.join(found) or 'none'}",
            fix="Name the columns with --id-column, --label-column and --time-column.",
            columns=list(found),
        )


def _broken(path: Path, line: int | None, error: Exception) -> InputError:
    where = path.name if line is None else f"{path.name}, line {line}"
    return InputError(f"{where}: {error}", fix="Correct the file. Nothing of it was stored.", file=str(path), line=line)


_READERS: dict[str, Callable[[Path, Columns], Iterator[Any]]] = {
    ".csv": partial(_csv, delimiter=","),
    ".tsv": partial(_csv, delimiter="\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
