"""Labelled rows as a file: what was predicted, what was true, when."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from cli.labels.meanings import Meanings
from cli.labels.parquet import pyarrow_parquet
from evertune.errors import InputError
from evertune.ledger import KnownLabel, LabelCursor, Ledger

FIELDS = ("id", "label", "predicted", "confidence", "predicted_at", "labelled_at", "revision", "model", "digest")
_PAGE = 1000
_Row = dict[str, Any]
_Pages = Iterable[list[_Row]]


def labelled_pages(ledger: Ledger, model: str, meanings: Meanings) -> Iterator[list[_Row]]:
    """All labelled rows of a model in the order of their prediction, each with its newest label.

    Raises:
        BundleError: A bundle that predicted some of them cannot be read.
    """
    cursor = LabelCursor()
    while page := ledger.labels.page(model, cursor, _PAGE):
        yield [_row(each, model, meanings) for each in page]
        cursor = page[-1].cursor


def write_labels(path: Path, pages: _Pages, advance: Callable[[int], None]) -> int:
    """Writes `.csv`, `.jsonl` (or `.ndjson`) or `.parquet`, beside `path` first: the file is whole or not there.

    Returns:
        How many rows it holds.

    Raises:
        InputError: An unknown format, or a place that cannot be written.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InputError(
            f"{path.name}: unknown format {path.suffix!r}", fix=f"Name the file by its format: {', '.join(_WRITERS)}."
        )
    counter = _Counter(pages, advance)
    partial = path.with_name(f".{path.name}.part")
    try:
        writer(partial, counter)
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", fix="Choose another place.") from error
    finally:
        partial.unlink(missing_ok=True)
    return counter.rows


class _Counter:
    """Pages as they pass."""

    def __init__(self, pages: _Pages, advance: Callable[[int], None]) -> None:
        self._pages, self._advance = pages, advance
        self.rows = 0

    def __iter__(self) -> Iterator[list[_Row]]:
        for page in self._pages:
            yield page
            self.rows += len(page)
            self._advance(len(page))


def _row(row: KnownLabel, model: str, meanings: Meanings) -> _Row:
    label, predicted = meanings.label(row.digest, row.label), meanings.predicted(row.digest, row.outputs)
    times = (row.predicted_at, row.labelled_at)
    values = (row.row_id, label, predicted, row.confidence, *times, row.revision, model, row.digest)
    return dict(zip(FIELDS, values, strict=True))


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def _text(value: Any) -> str | None:
    """One column of Parquet has one type, whatever the kind; import reads it back."""
    return None if value is None else str(_cell(value))


def _write_csv(path: Path, pages: _Pages) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for page in pages:
            writer.writerows({name: _cell(value) for name, value in row.items()} for row in page)


def _write_json_lines(path: Path, pages: _Pages) -> None:
    with path.open("w", encoding="utf-8") as file:
        for page in pages:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in page)


def _write_parquet(path: Path, pages: _Pages) -> None:
    pyarrow, parquet = pyarrow_parquet()
    kinds = {"confidence": pyarrow.float64(), "revision": pyarrow.int32()}
    kinds |= {name: pyarrow.timestamp("us", tz="UTC") for name in _TIMES}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in FIELDS])
    with parquet.ParquetWriter(path, schema) as writer:
        for page in pages:
            columns = {name: [row[name] for row in page] for name in FIELDS}
            columns |= {name: [_text(value) for value in columns[name]] for name in ("label", "predicted")}
            columns |= {name: [round(at * 1e6) for at in columns[name]] for name in _TIMES}
            writer.write_table(pyarrow.table(columns, schema=schema))


_TIMES = ("predicted_at", "labelled_at")
_WRITERS: dict[str, Callable[[Path, _Pages], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
    ".ndjson": _write_json_lines,
    ".parquet": _write_parquet,
}
