"""Champion and challenger on the same rows, by the artifacts themselves under ONNX Runtime."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evertune.bundle import Bundle
from evertune.errors import JobError
from evertune.kinds import decoded
from evertune.losses import row_losses
from evertune.rows import Rows

_BATCH_ROWS = 64  # as the server runs them at most by default: dynamic INT8 takes its scales from the batch


def bundle_losses(bundle: Bundle, rows: Rows) -> npt.NDArray[np.float64]:
    """The bounded loss of each row, from the proven artifact.

    Args:
        bundle: Its model answers.
        rows: Live rows, labels as the ledger keeps them.

    Returns:
        float64 in [0, 1], shape (rows,).

    Raises:
        BundleError: The bundle is damaged, or fails its golden rows here.
        InputError: The rows are not what the bundle takes.
    """
    session, manifest = bundle.verified_session(), bundle.manifest
    rows = decoded(rows, manifest.kind, manifest.labels)
    losses = [np.empty(0)]
    for start in range(0, len(rows), _BATCH_ROWS):
        batch = rows.take(slice(start, start + _BATCH_ROWS))
        manifest.signature.check_inputs(batch.inputs)
        losses.append(row_losses(manifest.kind, session.run(batch.inputs), batch.labels, manifest.parameters))
    return np.concatenate(losses)


def check_comparable(champion: Bundle, challenger: Bundle) -> None:
    """Refuses a pair for which "the same label" does not mean the same.

    Raises:
        JobError: They differ in model, kind, labels, signature, preprocessing, or in what the loss is measured by.
    """
    for name in ("model", "kind", "labels", "signature", "parameters", "preprocessing_sha256"):
        one, other = getattr(champion.manifest, name), getattr(challenger.manifest, name)
        if one != other:
            raise JobError(
                f"champion and challenger differ in {name}: {one} and {other}",
                fix="Serve the changed task under a new name, or promote its first bundle by hand.",
            )
