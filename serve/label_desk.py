"""Labels from many requests, committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from evertune.errors import EvertuneError, InputError, OverloadedError, TooLargeError
from evertune.ids import parse_row_id
from evertune.ledger import Label, LabelReceipt, Ledger, Prediction

_MAX_LABELS = 10_000  # of one request
_MAX_WAITING = 100_000  # in all: several seconds of the ledger's work
_GROUP = 20_000  # of one transaction


Encode = Callable[[Any], float]
"""From a client's label to the number that the ledger keeps; raises InputError."""


class Encoders(Protocol):
    """Finds what reads the labels of a bundle; may read the store."""

    def __call__(self, model: str, digest: str) -> Encode:
        """Of that bundle."""


class LabelItem(NamedTuple):
    """One label of a request.

    Attributes:
        row_id: As predictions returned it.
        label: What the kind of task takes.
        at: Of a click: seconds since the epoch, None for now.
        final: See `Label`.
    """

    row_id: str
    label: Any
    at: float | None = None
    final: bool = False


@dataclass(slots=True, eq=False)
class _Waiting:
    items: list[LabelItem]
    key_id: str
    future: asyncio.Future[LabelReceipt]


class LabelDesk:
    """Takes labels, and acknowledges them when they are on disk.

    While one transaction runs the next requests collect; then they share one: a disk sync a group, not a request.

    Args:
        ledger: Where labels go.
        encoders: Of the bundle that made a prediction.
        flush: Brings predictions that were answered but not written yet into the ledger.
    """

    def __init__(self, ledger: Ledger, encoders: Encoders, flush: Callable[[], Awaitable[None]]) -> None:
        self._ledger, self._encoders, self._flush = ledger, encoders, flush
        self._waiting: list[_Waiting] = []
        self._waiting_labels = 0
        self._committer: asyncio.Task[None] | None = None

    async def accept(self, items: Sequence[tuple[Any, ...]], key_id: str) -> LabelReceipt:
        """Stores the labels of one request, all or none.

        Args:
            items: The fields of a `LabelItem`; the last two may be left out.
            key_id: Of the caller.

        Raises:
            InputError: A malformed id, or no label of the task.
            UnknownRowError: An id that was never predicted.
            OverloadedError: Too many labels wait.
        """
        if len(items) > _MAX_LABELS:
            raise TooLargeError(f"{len(items)} labels in one request", fix=f"Send at most {_MAX_LABELS}.")
        if self._waiting_labels + len(items) > _MAX_WAITING:
            raise OverloadedError(f"{self._waiting_labels} labels wait already", fix="Send them again a little later.")
        labels = [LabelItem(*item) for item in items]
        for item in labels:
            parse_row_id(item.row_id)
        waiting = _Waiting(labels, key_id, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._waiting_labels += len(items)
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit())
        return await waiting.future

    async def close(self) -> None:
        """Waits for the last transaction."""
        if self._committer is not None:
            await self._committer

    async def _commit(self) -> None:
        try:
            while self._waiting:
                group = self._take()
                try:
                    results = await self._store(group)
                except Exception as error:
                    results = [error] * len(group)
                for waiting, result in zip(group, results, strict=True):
                    _answer(waiting.future, result)
        finally:
            self._committer = None

    def _take(self) -> list[_Waiting]:
        count = labels = 0
        while count < len(self._waiting) and (not count or labels + len(self._waiting[count].items) <= _GROUP):
            labels += len(self._waiting[count].items)
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_labels -= labels
        return group

    async def _store(self, group: list[_Waiting]) -> Sequence[LabelReceipt | Exception]:
        wanted = {parse_row_id(identifier)[0] for waiting in group for identifier, *_ in waiting.items}
        found = await asyncio.to_thread(self._ledger.predictions.get, wanted)
        missing = wanted - set(found)
        late: OverloadedError | None = None
        if missing:  # answered a moment ago and still in a spool, or never
            try:
                await self._flush()
            except OverloadedError as error:  # that need not keep back labels of older predictions
                late = error
            found |= await asyncio.to_thread(self._ledger.predictions.get, missing)
        return await asyncio.to_thread(self._write, group, found, late)

    def _write(
        self, group: list[_Waiting], found: Mapping[str, Prediction], late: OverloadedError | None
    ) -> list[LabelReceipt | Exception]:
        encoded = [self._encode(waiting, found, late) for waiting in group]
        receipts = iter(self._ledger.labels.add_groups([labels for labels in encoded if isinstance(labels, list)]))
        return [next(receipts) if isinstance(labels, list) else labels for labels in encoded]

    def _encode(
        self, waiting: _Waiting, found: Mapping[str, Prediction], late: OverloadedError | None
    ) -> list[Label] | EvertuneError:
        """Turns labels into numbers; rows that are not known are left to the ledger to refuse.

        Where predictions are still on their way, `late`, nobody knows which rows there are.
        """
        labels = []
        for identifier, value, at, final in waiting.items:
            prediction = found.get(parse_row_id(identifier)[0])
            if prediction is None and late is not None:
                return late
            try:
                number = 0.0 if prediction is None else self._encoders(prediction.model, prediction.digest)(value)
            except InputError as error:
                return _no_label(identifier, error)
            except EvertuneError as error:  # the store is away: only labels of bundles that it held must wait
                return error
            labels.append(Label(identifier, number, waiting.key_id, at=at, final=final))
        return labels


def _no_label(identifier: str, error: InputError) -> InputError:
    fix = f"{error.fix or 'Send a label of the task.'} No label of the request was stored."
    return InputError(f"{identifier}: {error.message}", fix=fix, id=identifier)


def _answer(future: asyncio.Future[LabelReceipt], result: LabelReceipt | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def read_labels(document: dict[str, Any]) -> list[LabelItem]:
    """Reads `{"labels": [{"id": row id, "label": what the kind of task takes}, ...]}`.

    An item may have `at`, a number, and `final`, true or false.

    Raises:
        InputError: Names the first item that is malformed.
    """
    items = document.get("labels")
    if not isinstance(items, list) or not items:
        raise InputError("the body has no list 'labels'", fix='Send {"labels": [{"id": "...", "label": "..."}]}.')
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or "label" not in item:
            raise InputError(f"labels[{index}] is malformed", fix='Send {"id": "...", "label": "..."}.', index=index)
        at, final = item.get("at"), item.get("final", False)
        if isinstance(at, bool) or not isinstance(at, int | float | None) or not isinstance(final, bool):
            fix = "at: seconds since the epoch; final: true or false; leave them out where you need not say."
            raise InputError(f"labels[{index}] has at {at!r} and final {final!r}", fix=fix, index=index)
    return [LabelItem(item["id"], item["label"], item.get("at"), item.get("final", False)) for item in items]
