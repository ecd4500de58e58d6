"""The labelled rows of a job as one file, so that a search that goes on sees what it began with."""

from __future__ import annotations

import json
from pathlib import Path

from evertune.files import write_atomic
from evertune.ledger import Ledger
from evertune.packing import pack, unpack
from evertune.rows import Rows
from retune.supply import stored_rows

_NAME = "window.bin"
_INPUT = "input/"


def load_window(ledger: Ledger, model: str, job_id: int, folder: Path) -> Rows:
    """The job's training rows: from the folder, or, the first time, from the ledger.

    Labels are as the ledger keeps them. A label that is corrected, or a row that is pruned, while the search stands
    still must not change its data.

    Raises:
        JobError: Rows are no longer in the ledger.
    """
    path = folder / _NAME
    row_ids = ledger.jobs.rows(job_id, "train")
    if not path.exists():
        write_atomic(path, _to_bytes(stored_rows(ledger, model, row_ids)))
    return _from_bytes(path.read_bytes())


def _to_bytes(rows: Rows) -> bytes:
    ids = json.dumps(rows.ids).encode()
    tensors = {f"{_INPUT}{name}": value for name, value in rows.inputs.items()}
    tensors |= {"labels": rows.labels, "times": rows.times, "weights": rows.weights}
    return len(ids).to_bytes(8, "little") + ids + pack(tensors)


def _from_bytes(data: bytes) -> Rows:
    start = 8 + int.from_bytes(data[:8], "little")
    ids = tuple(json.loads(data[8:start]))
    tensors = unpack(data[start:])
    inputs = {name.removeprefix(_INPUT): value for name, value in tensors.items() if name.startswith(_INPUT)}
    return Rows(inputs, tensors["labels"], tensors["times"], tensors["weights"], ids)
