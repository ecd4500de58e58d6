"""From the chosen candidate to a sealed bundle."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evertune.bundle import Bundle, BundleStore, ConfidenceMap, Reference, write_content
from evertune.errors import DataError
from evertune.evaluation import evaluate, reliability
from evertune.guarded import guarded_slices
from evertune.kinds import kind_of
from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.statistics import calibrate, upper_bound
from evertune.task import Splits, Task
from evertune.tensors import Array, Tensors
from export.candidate import Candidate
from export.external import write_data
from export.golden import golden_rows
from export.hardware import hardware, versions
from export.recipes import FP32
from export.result import ExportResult
from export.scoring import difference_of, losses_of, outputs_of

_CONFIDENCE_LEVEL = 0.95
_OF_ONE_TARGET = (  # what an attestation says that another target may change
    "recipe",
    "reason",
    "parity",
    "validation_rows",
    "measurement",
    "test_difference",
    "candidates",
    "target",
    "pending",
    "hardware",
    "versions",
)
_ORDER_SEED = 0  # any fixed number: the same rows must give the same bundle


def seal(
    result: ExportResult,
    task: Task,
    splits: Splits,
    store: BundleStore,
    *,
    lineage: Mapping[str, Any],
    training: Path | None = None,
    seed: int = 0,
) -> Bundle:
    """Puts the chosen artifact with everything that monitoring and serving need into the store.

    All figures are those of the artifact itself under ONNX Runtime. The confidence map is fitted on calibration rows,
    the reference and the evaluation on test rows.

    Args:
        result: Of `export_model`.
        task: Name, kind, labels and signature.
        splits: Calibration and test rows are used here.
        store: Where the bundle goes.
        lineage: Study, trial, hyperparameters, data fingerprint, code revision: JSON.
        training: Folder with weights for a later fine-tuning, stored beside the content.
        seed: Of the bootstrap in the evaluation.

    Returns:
        The bundle as read back from the store.

    Raises:
        BundleError: The graph is one that no server would load; see `evertune.bundle.graph`.
        DataError: Calibration or test split is empty.
        SettingsError: The store's signing key cannot be used.
        TaskError: The task's preprocessor makes other inputs than the task declares.
    """
    _require_rows(splits)
    session = _session(result.chosen, task)
    calibration = outputs_of(session, splits.calibration.inputs, result.scored_rows)
    outputs = outputs_of(session, splits.test.inputs, result.scored_rows)
    confidence = _confidence_map(calibration, splits.calibration, task)
    attestation = {
        "recipe": result.chosen.recipe,
        "reason": result.reason,
        "parity": result.parity.to_json(),
        "validation_rows": result.validation_rows,
        "measurement": result.measurement.to_json() if result.measurement else None,
        "test_difference": _test_difference(result, splits.test, task),
        "candidates": [candidate.to_json() for candidate in result.candidates],
        "evaluation": _evaluation(outputs, splits, task, seed),
        "guarded_slices": sorted(guarded_slices(task, splits.test.inputs)),
        "reliability": _reliability(outputs, splits.test, task, confidence),
        "target": result.target,
        "pending": [dict(each) for each in result.pending],
        "hardware": hardware(),
        "versions": versions(),
        "lineage": dict(lineage),
    }
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as data:
        content = Path(folder)
        write_content(
            content,
            model_bytes=result.chosen.model_bytes,
            model=task.name,
            kind=task.kind,
            labels=task.labels,
            signature=task.signature,
            preprocessing=_preprocessing(task),
            recipe=result.chosen.recipe,
            calibration=confidence,
            reference=_reference(outputs, splits.test, task, confidence),
            golden=golden_rows(session, splits.test, result.chosen.recipe),
            parameters=task.parameters,
            external_data=write_data(Path(data), result.chosen.external_data),
        )
        Bundle.open(content).audit()  # what no server would load must not be sealed
        bundle = store.put(content, attestation=attestation, training=training)
    return _for_target(bundle, store, attestation)


def _for_target(bundle: Bundle, store: BundleStore, attestation: Mapping[str, Any]) -> Bundle:
    """The same content sealed before for another target keeps its attestation: this one's part is put beside it."""
    known = [bundle.attestation() or {}, *bundle.measurements()]
    if any("candidates" in each and each.get("target", "cpu") == attestation["target"] for each in known):
        return bundle
    part = {name: attestation[name] for name in _OF_ONE_TARGET}
    return store.add_measurement(bundle.digest, {**part, "measured_at": time.time()})


def _session(candidate: Candidate, task: Task) -> Session:
    return Session(candidate.model_bytes, task.signature, external_data=candidate.external_data)


def _require_rows(splits: Splits) -> None:
    for name in ("calibration", "test"):
        if len(getattr(splits, name)) == 0:
            raise DataError(f"the {name} split is empty", fix=f"Give Task.data some {name} rows.", split=name)


def _test_difference(result: ExportResult, rows: Rows, task: Task) -> dict[str, float] | None:
    """Of the loss that the chosen precision adds, on rows that had no part in the choice; None for FP32."""
    if result.chosen.recipe == FP32:
        return None
    models = (result.candidate(FP32), result.chosen)
    fp32, chosen = (losses_of(_session(model, task), rows, task, result.scored_rows) for model in models)
    return difference_of(fp32, chosen, 0.0).to_json()


def _preprocessing(task: Task) -> dict[str, Any]:
    preprocessor = task.preprocessor()
    if preprocessor is None:
        return {}
    preprocessor.check(task.inputs)
    return preprocessor.to_json()


def _evaluation(outputs: Tensors, splits: Splits, task: Task, seed: int) -> dict[str, Any]:
    return evaluate(
        task.kind,
        task.labels,
        outputs,
        splits.test.labels,
        seed=seed,
        parameters=task.parameters,
        slices=splits.slices,
    ).to_json()


def _certainty(outputs: Tensors, task: Task) -> Array:
    return kind_of(task.kind).certainty(outputs, task.parameters)


def _confidence_map(outputs: Tensors, rows: Rows, task: Task) -> ConfidenceMap:
    scores = 1.0 - row_losses(task.kind, outputs, rows.labels, task.parameters)
    return ConfidenceMap(*calibrate(_certainty(outputs, task), scores), rows=len(rows))


def _reliability(outputs: Tensors, rows: Rows, task: Task, confidence: ConfidenceMap) -> list[dict[str, Any]]:
    """How good the answers are that are given with a certain confidence."""
    scores = 1.0 - row_losses(task.kind, outputs, rows.labels, task.parameters)
    return [each.to_json() for each in reliability(confidence(_certainty(outputs, task)), scores)]


def _reference(outputs: Tensors, rows: Rows, task: Task, confidence: ConfidenceMap) -> Reference:
    losses = row_losses(task.kind, outputs, rows.labels, task.parameters)
    mean = float(losses.mean())
    # The bound follows its rows one by one and may stop at any of them: of rows in time order that grow harder it would
    # be about the first ones. In random order they are exchangeable, as it asks for.
    shuffled = np.random.default_rng(_ORDER_SEED).permutation(losses)
    return Reference(
        loss_mean=mean,
        loss_upper_bound=max(mean, upper_bound(shuffled, _CONFIDENCE_LEVEL)),
        rows=len(rows),
        confidence_mean=float(confidence(_certainty(outputs, task)).mean()),
        confidence_level=_CONFIDENCE_LEVEL,
    )
