"""One cell through the whole loop, with real processes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.coverage.cell import Cell
from benchmarks.coverage.processes import evertune, running, wait_until
from benchmarks.coverage.settings import GATE_LABELS, make_project
from benchmarks.coverage.stream import Stream
from evertune.bundle import BundleStore
from evertune.client import Client
from evertune.errors import JobError
from evertune.ledger import Ledger, RetuneJob
from evertune.loading import load_task
from evertune.rows import Rows
from evertune.settings import Project

_STEADY_ROWS, _TURNED_ROWS, _AFTER_ROWS = 200, 700, 200
_DECIDED = ("promoted", "rejected", "insufficient", "failed")


def walk(cell: Cell, folder: Path) -> dict[str, Any]:
    """tune, export, serve, label, evidence, re-tune; then a look at what the new champion is worth.

    Raises:
        EvertuneError: A step failed.
    """
    start = time.monotonic()
    project = make_project(folder, cell)
    trials = evertune(project, "tune")["trials"]
    digest = str(evertune(project, "export", "--promote")["digest"])
    shipped = _shipped(project, digest)
    task = load_task(project.settings.project.task, project.root)
    splits = task.load()
    rows = Rows.concatenate([splits.test, splits.calibration, splits.validation])
    known = rows.take(rows.labels >= 0)
    url = f"http://127.0.0.1:{project.settings.serve.port}"
    with running(project, "serve"), Client(url) as client:
        wait_until("the server", client.ready)
        live = _loop(project, Stream(client, task, known), url)
    trained = {"trials": len(trials), "test_rows": len(splits.test)}
    return {"cell": cell.name, **trained, **shipped, **live, "seconds": time.monotonic() - start}


def _shipped(project: Project, digest: str) -> dict[str, Any]:
    bundle = BundleStore(project.bundle_url).get(digest)
    attestation = bundle.attestation() or {}
    recipe = attestation["recipe"]
    chosen = next(each for each in attestation["candidates"] if each["recipe"] == recipe)
    evaluation = attestation["evaluation"]
    metric = "accuracy" if "accuracy" in evaluation else evaluation["metrics"][0]
    return {
        "recipe": recipe,
        "metric": metric,
        "value": evaluation[metric],
        "size_bytes": chosen["size_bytes"],
        "latency_seconds": chosen["latency_seconds"]["1"],
        "parity_absolute": attestation["parity"]["absolute"],
    }


def _loop(project: Project, stream: Stream, url: str) -> dict[str, Any]:
    before = stream.send(_STEADY_ROWS)
    stream.turned = True
    during = stream.send(_TURNED_ROWS)
    with running(project, "monitor"):
        wait_until("evidence of the drift", lambda: _evidence(project) >= 1)
        evidence = _evidence(project)
        with running(project, "retune"), Ledger.open(project.ledger_url) as ledger:
            wait_until("the re-tune's search", lambda: _job(ledger).phase not in ("", "train_rows"))
            during = (during * _TURNED_ROWS + stream.send(2 * GATE_LABELS) * 2 * GATE_LABELS) / (
                _TURNED_ROWS + 2 * GATE_LABELS
            )
            wait_until("the end of the re-tune", lambda: _job(ledger).status in _DECIDED)
            job = _job(ledger)
            champion = ledger.registry.champion(job.model)
    wait_until("the swap", lambda: champion is not None and _served(url) == champion.digest)
    after = stream.send(_AFTER_ROWS)
    outcome = {
        "outcome": job.status,
        "reason": str(job.detail.get("reason", "")),
        "evidence_to_threshold_ratio": evidence,
    }
    return {"before": before, "during": during, "after": after, **outcome}


def _job(ledger: Ledger) -> RetuneJob:
    (model,) = ledger.registry.models()
    for job in ledger.jobs.list(model, 1):
        return job
    raise JobError("no re-tune was begun", fix="Wait.")  # which is what is done


def _served(url: str) -> str:
    return str(httpx.get(f"{url}/v2/models").json()["models"][0]["digest"])


def _evidence(project: Project) -> float:
    """What the exporter says of it, as a share of the line: 1 raises the alarm."""
    text = httpx.get(f"http://127.0.0.1:{project.settings.monitor.port}/metrics").text
    values = {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}
    if "evertune_drift_log10_evidence" not in values:
        return 0.0
    return values["evertune_drift_log10_evidence"] / values["evertune_drift_log10_threshold"]
