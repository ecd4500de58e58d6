"""All that a worker must know of a search, as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evertune.settings import ExportSettings, LimitSettings


@dataclass(frozen=True)
class Plan:
    """A search, the same in driver and workers.

    Attributes:
        reference: Of the task: "file.py:Class".
        root: Folder of the project.
        folder: Of the study.
        max_epochs: Of a trial.
        seed: Of the search; a trial's own is derived from it and the trial's number.
        backend: Of Keras.
        limits: Over them a model is not trained, or, where only the fit can tell, not scored.
        export: How trials are scored.
        warm_weights: Archive of the incumbent's weights, from which trials of the origin "fine-tune" go on.
    """

    reference: str
    root: Path
    folder: Path
    max_epochs: int
    seed: int
    backend: str
    limits: LimitSettings
    export: ExportSettings
    warm_weights: Path | None = None

    @property
    def data(self) -> Path:
        """Folder of the splits."""
        return self.folder / "data"

    @property
    def architectures(self) -> Path:
        """Folder of what is known of untrained models: footprints and graphs, for all workers."""
        return self.folder / "architectures"

    def trial_folder(self, trial_id: str) -> Path:
        """Folder of a trial's checkpoint and weights."""
        return self.folder / "trials" / trial_id

    def trial_seed(self, trial_id: str) -> int:
        """A seed for each trial, the same when it is run again; "3.1", a later training of trial 3, has its own."""
        number, _, again = trial_id.partition(".")
        return self.seed * 100_003 + int(number) + int(again or 0) * 10_007

    def to_json(self) -> dict[str, Any]:
        """The plan as a message."""
        return {
            **vars(self),
            "root": str(self.root),
            "folder": str(self.folder),
            "limits": self.limits.model_dump(mode="json"),
            "export": self.export.model_dump(mode="json"),
            "warm_weights": str(self.warm_weights) if self.warm_weights else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Inverse of `to_json`."""
        return cls(
            **{
                **data,
                "root": Path(data["root"]),
                "folder": Path(data["folder"]),
                "limits": LimitSettings(**data["limits"]),
                "export": ExportSettings(**data["export"]),
                "warm_weights": Path(data["warm_weights"]) if data["warm_weights"] else None,
            }
        )
