"""What monitoring needs to know of a bundle, read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evertune.bundle import BundleStore, Reference


@dataclass(frozen=True)
class Facts:
    """Of one bundle.

    Attributes:
        kind: Of the task, which names the loss.
        labels: Of the task.
        parameters: Of the kind.
        recipe: Precision of the model.
        reference: What live losses are compared with.
        calibration_rows: Rows that the confidence map was fitted on.
    """

    kind: str
    labels: tuple[str, ...]
    parameters: dict[str, Any]
    recipe: str
    reference: Reference
    calibration_rows: int


class BundleFacts:
    """Facts by digest. Bundles never change, so each is opened and audited once a process."""

    def __init__(self, store: BundleStore) -> None:
        self._store = store
        self._known: dict[str, Facts] = {}

    def of(self, digest: str) -> Facts:
        """The facts of a bundle.

        Raises:
            BundleError: The store does not have it, or it is damaged.
        """
        if digest not in self._known:
            bundle = self._store.get(digest)
            manifest = bundle.manifest
            self._known[digest] = Facts(
                manifest.kind,
                manifest.labels,
                manifest.parameters,
                manifest.recipe,
                bundle.reference,
                bundle.calibration.rows,
            )
        return self._known[digest]
