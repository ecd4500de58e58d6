"""From a study to a sealed bundle."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evertune.bundle import Bundle, BundleStore
from evertune.errors import ExportError, SearchError
from evertune.files import write_atomic
from evertune.loading import load_task, source_digest
from evertune.settings import Project
from tune.choice import Choice
from tune.contender import Contender
from tune.dataset import open_splits
from tune.former_best import write_former_best
from tune.record import TrialRecord
from tune.records import ranked
from tune.study import Study
from tune.warm_start import HYPERPARAMETERS
from tune.weights import WEIGHTS


def ship(
    study: Study, project: Project, *, lineage: Mapping[str, Any] | None = None, store: BundleStore | None = None
) -> Bundle:
    """Exports the trial of `Study.best` once more, alone and with full measurement, and seals it.

    Beside the bundle's content lie weights, hyperparameters and the best configurations of the study, with which a
    re-tune starts. Where the full measurement turns it away (over the latency limit, say), the next most accurate trial
    is tried.

    Args:
        study: Of `search` or `load_study`.
        project: Its bundle store is used, unless `store` is given.
        lineage: Added to the attestation's lineage.
        store: Another store.

    Raises:
        SearchError: No trial completed, or its weights are gone.
        ExportError: None of the kept trials can ship; the first reason.
    """
    from tune.backend import fix_backend

    fix_backend(study.plan.backend)
    choice = study.best()
    ranking = [choice.trial, *(record for record in ranked(study.trials) if record.trial_id != choice.trial.trial_id)]
    kept = {record.trial_id: _kept(study, record) for record in ranking}
    candidates = [record for record in ranking if kept[record.trial_id]]
    if not candidates:
        raise SearchError(
            f"the weights of {study.folder}'s best trials are gone", fix="Search again.", folder=str(study.folder)
        )
    target = store or BundleStore.of(project)
    first: ExportError | None = None
    for record in candidates:
        try:
            return _ship(study, record, kept[record.trial_id][0], choice, target, lineage or {})
        except ExportError as error:
            first = first or error
    assert first is not None  # there was a candidate
    raise first


def _kept(study: Study, record: TrialRecord) -> list[str]:
    """Trainings of a trial whose weights are on disk, the most accurate first."""
    again = tuple(each for each in study.finals if each.trial_id.partition(".")[0] == record.trial_id)
    trainings = Contender(record, again).trainings
    return [each.trial_id for each in trainings if _weights(study, each.trial_id).exists()]


def _ship(
    study: Study, record: TrialRecord, training: str, choice: Choice, store: BundleStore, lineage: Mapping[str, Any]
) -> Bundle:
    from export import export_for, seal
    from tune.hypermodel import TaskHyperModel
    from tune.winner import load_winner

    plan = study.plan
    task, splits = load_task(plan.reference, plan.root), open_splits(plan.data)
    hypermodel = TaskHyperModel(task, splits, plan.max_epochs)
    model = load_winner(hypermodel, record.hyperparameters, plan, training)
    result = export_for(model, task, splits, settings=plan.export, limits=plan.limits, seed=plan.seed)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder)
        shutil.copyfile(_weights(study, training), files / WEIGHTS)
        write_atomic(files / HYPERPARAMETERS, json.dumps(dict(record.hyperparameters), sort_keys=True).encode())
        write_former_best(files, study.trials)
        return seal(
            result,
            task,
            splits,
            store,
            lineage={**_lineage(study, record, training, choice), **lineage},
            training=files,
            seed=plan.seed,
        )


def _weights(study: Study, training: str) -> Path:
    return study.plan.trial_folder(training) / WEIGHTS


def _lineage(study: Study, record: TrialRecord, training: str, choice: Choice) -> dict[str, Any]:
    return {
        "study": study.folder.name,
        "trial": {**record.to_json(), "candidates": []},  # the attestation has the full export's own
        "training": training,
        "choice": choice.to_json(),
        "trials": len(study.trials),
        "search": dict(study.fingerprint),
        "source_sha256": source_digest(study.plan.reference, study.plan.root),
    }
