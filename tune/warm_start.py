"""Where a search begins that is not the first: with what an earlier one found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evertune.bundle import Bundle
from tune.former_best import Former, read_former_best
from tune.proposal import FINE_TUNE, Proposal
from tune.study import JOURNAL, Study, load_study
from tune.weights import WEIGHTS

HYPERPARAMETERS = "hyperparameters.json"
"""In a bundle's `training` folder: the incumbent's."""

_KEPT_WEIGHTS = "warm_start.npz"


@dataclass(frozen=True)
class WarmStart:
    """Tried before anything else.

    Attributes:
        hyperparameters: Settings in this order, the incumbent's first. What the search space does not hold any more
            falls back to its default.
        weights: `weights.npz` of the incumbent (in its bundle's `training` folder). One trial goes on from them if its
            architecture is the same, a second trains the incumbent's hyperparameters from scratch; None: only that.
        defaults: Try the space's defaults after that. An earlier search had tried them.
        ranks: All trials of the earlier search and their ranks, 0 for the best, 1 for the worst: they tell the sampler
            where to look.
        source: What all of this is from, in words. A search goes on only with the one that it began with.
    """

    hyperparameters: tuple[Mapping[str, Any], ...] = ()
    weights: Path | None = None
    defaults: bool = True
    source: str = ""
    ranks: tuple[tuple[Mapping[str, Any], float], ...] = ()

    @classmethod
    def of_bundle(cls, bundle: Bundle, studies: Path | None = None) -> WarmStart:
        """The bundle's hyperparameters and weights, then the best of the study that it came from.

        Args:
            bundle: With a `training` folder; without one there is nothing to begin with.
            studies: Of the project, for bundles that were sealed before they carried the best of their study: it is
                looked up there, in case it is still on this machine.

        Raises:
            BundleError: A file in the folder was changed since it was stored.
        """
        source, folder = f"bundle {bundle.digest}", bundle.training_path
        if folder is None or not (folder / HYPERPARAMETERS).exists():
            return cls(source=source)
        former = read_former_best(folder) or _of_its_study(bundle, studies)
        incumbent = json.loads((folder / HYPERPARAMETERS).read_bytes())
        return cls._of(incumbent, former, folder / WEIGHTS, source)

    @classmethod
    def of_study(cls, study: Study) -> WarmStart:
        """The study's winner and its weights, then the others of its best.

        Raises:
            SearchError: No trial completed.
        """
        choice = study.best()
        weights = study.plan.trial_folder(choice.training) / WEIGHTS
        return cls._of(choice.trial.hyperparameters, Former.of(study.trials), weights, f"study {study.folder.name}")

    @classmethod
    def _of(cls, incumbent: Mapping[str, Any], former: Former, weights: Path, source: str) -> WarmStart:
        others = [each for each in former.best if each != incumbent]
        kept = weights if _holds_weights(weights) else None
        return cls((incumbent, *others), kept, not others, source, former.ranks)

    def queue(self) -> tuple[Proposal, ...]:
        """What the search tries first: fine-tuning, then everything from scratch."""
        fine_tuned = [] if self.weights is None else [Proposal(each, FINE_TUNE) for each in self.hyperparameters[:1]]
        return (*fine_tuned, *(Proposal(each, "warm start") for each in self.hyperparameters))

    def kept_in(self, folder: Path) -> WarmStart:
        """The same with a copy of the weights in the folder of a study: where they came from may be tidied."""
        if self.weights is None or self.weights == folder / _KEPT_WEIGHTS:
            return self
        copy = folder / _KEPT_WEIGHTS
        shutil.copyfile(self.weights, copy)
        return replace(self, weights=copy)

    def to_json(self) -> dict[str, Any]:
        """For the journal of the study in whose folder the weights are kept."""
        return {**vars(self), "weights": self.weights is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], folder: Path) -> WarmStart:
        """Inverse of `to_json`."""
        kept = folder / _KEPT_WEIGHTS if data["weights"] else None
        ranks = tuple((values, rank) for values, rank in data.get("ranks", ()))  # older journals have none
        return cls(tuple(data["hyperparameters"]), kept, data["defaults"], data["source"], ranks)


def _holds_weights(path: Path) -> bool:
    """An estimator of scikit-learn leaves none."""
    if not path.exists():
        return False
    with np.load(path, allow_pickle=False) as archive:
        return any(name.startswith("weights/") for name in archive.files)


def _of_its_study(bundle: Bundle, studies: Path | None) -> Former:
    name = (bundle.attestation() or {}).get("lineage", {}).get("study")
    if studies is None or not isinstance(name, str) or not (studies / name / JOURNAL).is_file():
        return Former()
    return Former.of(load_study(studies / name).trials)
