"""A file of labels, checked as a whole, then stored in batches that are each stored whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from cli.labels.entry import Columns, Entry
from cli.labels.findings import Findings
from cli.labels.meanings import Meanings
from cli.labels.staging import Staged, Staging
from cli.labels.times import to_seconds
from evertune.errors import InputError
from evertune.ids import parse_row_id
from evertune.ledger import Clicks, Label, LabelReceipt, Ledger, PredictionHead

_BATCH = 2000  # labels a transaction: a few milliseconds, in which a running server's labels wait
_DEFAULT = Columns()
Advance = Callable[[int], None]
_Good = tuple[int, str, float, float]


def check(entries: Iterable[Entry], ledger: Ledger, meanings: Meanings, staging: Staging, advance: Advance) -> Findings:
    """Holds each line against the predictions and class names that it names; good ones are staged.

    Args:
        entries: Of the file.
        ledger: Is only read.
        meanings: Of the bundles.
        staging: Empty.
        advance: Told how many lines were done.

    Raises:
        InputError: The file breaks off.
        BundleError: A bundle that predicted one of the rows cannot be read, so nobody knows its labels.
    """
    findings, iterator = Findings(), iter(entries)
    while batch := list(islice(iterator, _BATCH)):
        heads = ledger.predictions.heads({found for entry in batch if (found := _request_of(entry)) is not None})
        good = [_judge(entry, heads, meanings, findings) for entry in batch]
        staging.add([row for row in good if row is not None])
        findings.lines += len(batch)
        advance(len(batch))
    return findings


def store(staging: Staging, ledger: Ledger, actor: str, advance: Advance, columns: Columns = _DEFAULT) -> LabelReceipt:
    """Stores what was staged. Killed in between and run again, it finds what is stored already unchanged.

    Raises:
        UnknownRowError: A prediction was pruned since it was checked; earlier batches are stored.
    """
    total = LabelReceipt(0, 0, 0)
    for batch in staging.batches(_BATCH):
        total = total.plus(ledger.labels.add_many([_label(row, actor, columns) for row in batch]))
        advance(len(batch))
    return total


def rehearse(staging: Staging, ledger: Ledger, columns: Columns = _DEFAULT) -> LabelReceipt:
    """What `store` would answer, without storing anything."""
    total, clicks = LabelReceipt(0, 0, 0), Clicks(ledger.clock())
    for batch in staging.batches(_BATCH):
        found = ledger.labels.rehearse_clicks([_label(row, "", columns) for row in batch], clicks)
        total = total.plus(LabelReceipt(found.count("accepted"), found.count("unchanged"), 0, found.count("late")))
        total = total.plus(_rehearse([row for row, click in zip(batch, found, strict=True) if click is None], ledger))
    return total


def _label(row: Staged, actor: str, columns: Columns) -> Label:
    at = None if columns.at is None else row.at
    return Label(row.row_id, row.label, actor, at=at, final=columns.final)


def _rehearse(batch: list[Staged], ledger: Ledger) -> LabelReceipt:
    stored = ledger.labels.latest({row.row_id for row in batch})
    known = [stored.get(row.row_id) if row.before is None else row.before for row in batch]
    accepted = known.count(None)
    unchanged = sum(before == row.label for before, row in zip(known, batch, strict=True))
    return LabelReceipt(accepted, unchanged, len(batch) - accepted - unchanged)


def _request_of(entry: Entry) -> str | None:
    try:
        return parse_row_id(entry.row_id)[0] if isinstance(entry.row_id, str) else None
    except InputError:
        return None


def _judge(entry: Entry, heads: dict[str, PredictionHead], meanings: Meanings, findings: Findings) -> _Good | None:
    request_id = None if entry.problem else _request_of(entry)
    at = to_seconds(entry.at)
    if request_id is None:
        findings.note("malformed", entry.line, entry.problem or f"{str(entry.row_id)[:80]!r} is no row id")
    elif at is None:
        findings.note("malformed", entry.line, f"{str(entry.at)[:80]!r} is no time")
    elif request_id not in heads or parse_row_id(entry.row_id)[1] >= heads[request_id].rows:
        findings.note("unknown_id", entry.line, f"{entry.row_id} was never predicted")
    else:
        number = meanings.number(heads[request_id].digest, entry.label)
        if not isinstance(number, InputError):
            return entry.line, entry.row_id, number, at
        findings.note("unknown_class", entry.line, number.message)
    return None
