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
from tune.dataset import open_splits
from tune.former_best import write_former_best
from tune.record import TrialRecord
from tune.study import Study, no_winner, ranked
from tune.warm_start import HYPERPARAMETERS
from tune.weights import WEIGHTS


def ship(
    study: Study, project: Project, *, lineage: Mapping[str, Any] | None = None, store: BundleStore | None = None
) -> Bundle:
    """Exports the best trial once more, alone and with full measurement, and seals it.

    Beside the bundle's content lie weights, hyperparameters and the best configurations of the study, with which a
    re-tune starts. Where the full measurement
    turns the best trial away (over the latency limit, say), the next best is tried.

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
    candidates = [record for record in ranked(study.trials) if _weights(study, record).exists()]
    if not ranked(study.trials):
        raise no_winner(study.trials)
    if not candidates:
        raise SearchError(
            f"the weights of {study.folder}'s best trials are gone", fix="Search again.", folder=str(study.folder)
        )
    target = store or BundleStore.of(project)
    first: ExportError | None = None
    for record in candidates:
        try:
            return _ship(study, record, target, lineage or {})
        except ExportError as error:
            first = first or error
    assert first is not None  # there was a candidate
    raise first


def _ship(study: Study, record: TrialRecord, store: BundleStore, lineage: Mapping[str, Any]) -> Bundle:
    from export import export_for, seal
    from tune.hypermodel import TaskHyperModel
    from tune.winner import load_winner

    plan = study.plan
    task, splits = load_task(plan.reference, plan.root), open_splits(plan.data)
    hypermodel = TaskHyperModel(task, splits, plan.max_epochs)
    model = load_winner(hypermodel, record.hyperparameters, plan, record.trial_id)
    result = export_for(model, task, splits, settings=plan.export, limits=plan.limits, seed=plan.seed)
    with tempfile.TemporaryDirectory() as folder:
        training = Path(folder)
        shutil.copyfile(_weights(study, record), training / WEIGHTS)
        write_atomic(training / HYPERPARAMETERS, json.dumps(dict(record.hyperparameters), sort_keys=True).encode())
        write_former_best(training, study.trials)
        return seal(
            result,
            task,
            splits,
            store,
            lineage={**_lineage(study, record), **lineage},
            training=training,
            seed=plan.seed,
        )


def _weights(study: Study, record: TrialRecord) -> Path:
    return study.plan.trial_folder(record.trial_id) / WEIGHTS


def _lineage(study: Study, record: TrialRecord) -> dict[str, Any]:
    return {
        "study": study.folder.name,
        "trial": {**record.to_json(), "candidates": []},  # the attestation has the full export's own
        "trials": len(study.trials),
        "search": dict(study.fingerprint),
        "source_sha256": source_digest(study.plan.reference, study.plan.root),
    }
