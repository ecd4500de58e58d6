"""What is known about the truth of a row."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from evertune.tensors import Tensors


@dataclass(frozen=True)
class Label:
    """The truth of one predicted row.

    Attributes:
        row_id: `<request id>:<row>`, as the prediction returned it.
        label: One number, as `Kind.encode_label` gives it: class or item index, target value, or bits.
        key_id: Of the API key that brought it.
        sequence: Order of arrival, given by the ledger.
        arrived_at: Seconds since the epoch, given by the ledger.
        at: Of a click: when it happened, seconds since the epoch; None: when it arrives.
        final: The truth of the whole row, and no click, where its label would follow from clicks. Elsewhere every label
            is final.
    """

    row_id: str
    label: float
    key_id: str = ""
    sequence: int = 0
    arrived_at: float = 0.0
    at: float | None = None
    final: bool = False


@dataclass(frozen=True)
class LabelReceipt:
    """What became of a batch of labels.

    Attributes:
        accepted: First labels of their rows, or clicks in time.
        unchanged: Said what was known already.
        corrected: Said otherwise; kept as a new revision beside the old one.
        late: Clicks after the horizon of their row: kept, and not used.
    """

    accepted: int
    unchanged: int
    corrected: int
    late: int = 0

    def plus(self, other: LabelReceipt) -> LabelReceipt:
        """Of two batches."""
        return LabelReceipt(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def to_json(self) -> dict[str, int]:
        """`late` stands there only where there are some."""
        return {name: count for name, count in vars(self).items() if count or name != "late"}


@dataclass(frozen=True, eq=False)
class LabelledRow:
    """A first label joined with the prediction it belongs to.

    Attributes:
        sequence: Order of arrival among all labels, growing with commit.
        row_id: `<request id>:<row>`.
        model: Name.
        digest: Of the bundle that predicted the row: a late label goes to that one, never to its successor.
        label: As in `Label`.
        arrived_at: Seconds since the epoch.
        predicted_at: Seconds since the epoch.
        outputs: Named arrays of one row.
        confidence: Calibrated, of this row.
        settled: Nobody sent it: it followed from the clicks before the horizon, or from there being none.
    """

    sequence: int
    row_id: str
    model: str
    digest: str
    label: float
    arrived_at: float
    predicted_at: float
    outputs: Tensors
    confidence: float
    settled: bool = False
