"""One walk over the labels of a model, from where the last one ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import func, select

from evertune.errors import BundleError
from evertune.ids import parse_row_id
from evertune.kinds import kind_of
from evertune.ledger import DetectorRecord, LabelledRow, Ledger, RowLoss, Tenure
from evertune.ledger.schema import FIRST, labels
from evertune.losses import row_losses
from evertune.settings import MonitorSettings
from monitoring.bundle_facts import BundleFacts
from monitoring.state import BundleState
from monitoring.tally import Tally

_log = logging.getLogger(__name__)

# Labels a transaction: large enough that the disk sync does not count, small enough that nobody waits for the lock.
_BATCH = 1000


class Walk:
    """Feeds labels in order of arrival to the detector of the bundle that predicted their row.

    States, cursors and losses of a batch are committed together, with one cursor for all bundles of the batch: the
    cursor of the model is the largest of its records. So what is stored is always the state of all labels before the
    cursor, and it depends on labels, predictions and deployments alone, not on when or in which pieces they were read.

    Args:
        ledger: Labels, predictions, states.
        facts: Kinds and references.
        settings: Tolerance and run length.
        model: Name; it has a champion.
    """

    def __init__(self, ledger: Ledger, facts: BundleFacts, settings: MonitorSettings, model: str) -> None:
        self._ledger, self._facts, self._settings, self._model = ledger, facts, settings, model
        self._history = ledger.registry.history(model)
        self._records = {record.digest: record for record in ledger.detectors.list(model)}

    def run(self) -> BundleState:
        """Takes everything that is there.

        Returns:
            The state of the champion, as it was deployed when the walk began.

        Raises:
            JobError: Another evaluator saved first.
            BundleError: A bundle that predicted is not in the store, or is damaged.
        """
        while batch := self._ledger.labels.after(self._model, self._cursor, _BATCH):
            self._take(batch)
        champion = self.champion_digest
        state = self._state(champion)
        record = self._records.get(champion)
        if record is None or record.state != state.to_json():  # deployed since, or the settings are others
            self._save({champion: state}, [], self._cursor)
        return state

    @property
    def champion_digest(self) -> str:
        """Of the champion when the walk began."""
        return self._history[-1].digest

    @property
    def _cursor(self) -> int:
        return max((record.last_sequence for record in self._records.values()), default=0)

    def _take(self, batch: list[LabelledRow]) -> None:
        unmatched = self._unmatched(batch)
        states: dict[str, BundleState] = {}
        losses: list[RowLoss] = []
        for digest in sorted({row.digest for row in batch} | set(unmatched) | {self.champion_digest}):
            if not self._is_readable(digest):
                continue
            rows = [row for row in batch if row.digest == digest]
            state, found, since = self._state(digest), self._losses(digest, rows), self._tenure(digest).since
            state.update([loss.loss for loss in found if loss.predicted_at >= since])
            state.tally.unmatched += unmatched.get(digest, 0)
            for row in rows:
                state.tally.take(predicted_at=row.predicted_at, arrived_at=row.arrived_at, settled=row.settled)
            states[digest] = state
            losses += found
        self._save(states, losses, batch[-1].sequence)

    def _is_readable(self, digest: str) -> bool:
        """Whether a bundle's labels can be judged; where an old one cannot, the champion's labels must not wait for it.

        Raises:
            BundleError: It is the champion that cannot be read.
        """
        try:
            self._facts.of(digest)
        except BundleError as error:
            if digest == self.champion_digest:
                raise
            _log.warning("labels of an earlier bundle count for nothing: %s", error)
            return False
        return True

    def _state(self, digest: str) -> BundleState:
        """The state as stored, or, where that answers another question than today's, the answer to this one.

        Another question: the bundle was deployed again, or the tolerance was changed. All losses are in the ledger, so
        the new detector is fed from there.
        """
        record, tenure = self._records.get(digest), self._tenure(digest)
        stored = None if record is None else BundleState.from_json(record.state)
        tally = Tally() if stored is None else stored.tally
        state = BundleState.fresh(tenure.deployment, self._facts.of(digest).reference, self._settings, tally)
        if stored is not None and stored.same_question(state):
            return stored
        known = self._ledger.losses.since(self._model, digest)
        state.update([row.loss for row in known if row.predicted_at >= tenure.since])
        return state

    def _tenure(self, digest: str) -> Tenure:
        return Tenure.of(digest, self._history)

    def _save(self, states: dict[str, BundleState], losses: Sequence[RowLoss], cursor: int) -> None:
        records = []
        for digest, state in states.items():
            record = self._records.get(digest) or DetectorRecord(self._model, digest, {})
            records.append(replace(record, state=state.to_json(), last_sequence=cursor))
        for saved in self._ledger.detectors.save_many(records, losses):
            self._records[saved.digest] = saved

    def _losses(self, digest: str, rows: Sequence[LabelledRow]) -> list[RowLoss]:
        if not rows:
            return []
        outputs = {name: np.concatenate([row.outputs[name] for row in rows]) for name in rows[0].outputs}
        facts = self._facts.of(digest)
        truth = kind_of(facts.kind).decode_labels(np.array([row.label for row in rows], np.float64), facts.labels)
        values = row_losses(facts.kind, outputs, truth, facts.parameters).tolist()
        return [_row_loss(row, loss) for row, loss in zip(rows, values, strict=True)]

    def _unmatched(self, batch: list[LabelledRow]) -> dict[str, int]:
        """First labels from the cursor to the end of the batch that joined no prediction, by digest."""
        column = labels.c
        query = (
            select(column.digest, func.count())
            .where(column.model == self._model, column.revision == FIRST)
            .where(column.sequence > self._cursor, column.sequence <= batch[-1].sequence)
            .group_by(column.digest)
        )
        with self._ledger.read() as connection:
            found = {digest: int(count) for digest, count in connection.execute(query)}
        for row in batch:
            found[row.digest] = found.get(row.digest, 0) - 1  # pruned between the two looks: as if never there
        return {digest: count for digest, count in found.items() if count > 0}


def _row_loss(row: LabelledRow, loss: float) -> RowLoss:
    request_id, index = parse_row_id(row.row_id)
    return RowLoss(row.model, row.digest, request_id, index, row.predicted_at, row.sequence, loss, row.confidence)
