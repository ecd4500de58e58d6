"""What happens between a model's output and the answer: confidence, ids, and the record in the spool."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from evertune.bundle import Bundle
from evertune.clock import Clock
from evertune.errors import OverloadedError
from evertune.ids import new_request_ids
from evertune.kinds import kind_of
from evertune.tensors import Array, Tensors
from serve.errors import ModelError
from serve.record import BatchRecord
from serve.ticket import Outcome, Ticket


class Recorder:
    """Settles the batches of one bundle.

    Args:
        bundle: Whose outputs they are.
        append: Writes a record to the spool, or raises.
        count: Told the model and the confidence of each recorded batch.
        drop: Told the model and the rows of each batch that could not be recorded.
        clock: Seconds since the epoch.
        draw: Uniform in [0, 1), decides whose inputs are kept.
        payload_share_ratio: Probability of keeping the inputs of a request.
        label_horizon_seconds: Of rankings: how long clicks make the label of a row; 0: labels come whole.
    """

    def __init__(
        self,
        bundle: Bundle,
        append: Callable[[bytes], None],
        count: Callable[[str, Array], None],
        drop: Callable[[str, int], None],
        *,
        clock: Clock,
        draw: Callable[[], float],
        payload_share_ratio: float,
        label_horizon_seconds: float = 0.0,
    ) -> None:
        self._bundle = bundle
        self._append, self._count, self._drop = append, count, drop
        self._clock, self._draw = clock, draw
        self._share_ratio = payload_share_ratio
        self._kind = kind_of(bundle.manifest.kind)
        self._horizon_seconds = label_horizon_seconds if self._kind.name == "ranking" else 0.0

    def settle(self, batch: Sequence[Ticket], inputs: Tensors, outputs: Tensors) -> list[Outcome | Exception]:
        """Records the batch, then hands each ticket its part.

        Returns:
            One outcome a ticket, or the error of a ticket for which the model gave no finite numbers.

        Raises:
            OverloadedError: The spool takes no more. Nobody may be answered then.
        """
        failed = _not_finite(batch, outputs)
        if failed:
            return self._without(failed, batch, inputs, outputs)
        now, finished_at = self._clock(), time.monotonic()
        drawn = new_request_ids(len(batch), now)
        request_ids = [ticket.request_id or own for ticket, own in zip(batch, drawn, strict=True)]
        certainty = self._kind.certainty(outputs, self._bundle.manifest.parameters)
        confidence = self._bundle.calibration(certainty).astype(np.float32)
        kept = [self._draw() < self._share_ratio for _ in batch]
        record = BatchRecord(
            model=self._bundle.manifest.model,
            digest=self._bundle.digest,
            predicted_at=now,
            request_ids=request_ids,
            rows=[ticket.rows for ticket in batch],
            kept=kept,
            payload_propensity=self._share_ratio,
            key_ids=[ticket.key_id for ticket in batch],
            latency_seconds=[finished_at - ticket.arrived_at for ticket in batch],
            outputs=outputs,
            inputs=inputs if all(kept) else _kept_rows(batch, inputs, kept),
            confidence=confidence,
            label_horizon_seconds=self._horizon_seconds,
        )
        self._keep(record)
        return _split(batch, request_ids, outputs, confidence)

    def _keep(self, record: BatchRecord) -> None:
        try:
            self._append(record.to_bytes())
        except OverloadedError:
            self._drop(record.model, len(record.confidence))
            raise
        self._count(record.model, record.confidence)

    def _without(
        self, failed: set[int], batch: Sequence[Ticket], inputs: Tensors, outputs: Tensors
    ) -> list[Outcome | Exception]:
        """Settles the others of the batch."""
        mask = np.repeat([index not in failed for index in range(len(batch))], [ticket.rows for ticket in batch])
        good = [ticket for index, ticket in enumerate(batch) if index not in failed]
        parts = ({name: value[mask] for name, value in tensors.items()} for tensors in (inputs, outputs))
        settled = iter(self.settle(good, *parts) if good else [])
        error = ModelError("the model gave NaN or infinity", fix="Check the input's range; report it to the author.")
        return [error if index in failed else next(settled) for index in range(len(batch))]


def _not_finite(batch: Sequence[Ticket], outputs: Tensors) -> set[int]:
    floats = [value for value in outputs.values() if value.dtype.kind == "f"]
    if all(np.isfinite(value).all() for value in floats):
        return set()
    bad = np.zeros(sum(ticket.rows for ticket in batch), bool)
    for value in floats:
        bad |= ~np.isfinite(value.reshape(len(value), -1)).all(axis=1)
    owner = np.repeat(np.arange(len(batch)), [ticket.rows for ticket in batch])
    return set(owner[bad].tolist())


def _kept_rows(batch: Sequence[Ticket], inputs: Tensors, kept: list[bool]) -> Tensors:
    if not any(kept):
        return {}
    mask = np.repeat(kept, [ticket.rows for ticket in batch])
    return {name: value[mask] for name, value in inputs.items()}


def _split(
    batch: Sequence[Ticket], request_ids: list[str], outputs: Tensors, confidence: Array
) -> list[Outcome | Exception]:
    outcomes: list[Outcome | Exception] = []
    (name, only), *others = outputs.items()
    start = 0
    for ticket, request_id in zip(batch, request_ids, strict=True):
        end = start + ticket.rows
        own = {name: only[start:end]}
        for other, value in others:
            own[other] = value[start:end]
        outcomes.append(Outcome(request_id, own, confidence[start:end]))
        start = end
    return outcomes
