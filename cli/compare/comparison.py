"""Two bundles side by side, as plain JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from cli.compare.common_rows import CommonRows
from evertune.bundle import Bundle
from evertune.kinds import kind_of
from evertune.losses import row_losses
from evertune.runtime import Session
from evertune.tensors import Array, Tensors
from export.hardware import hardware
from export.measure import Latencies, measure_latency
from export.scoring import difference_of, outputs_of

_LOADS = 5  # of each model: where a load puts its weights moves its latency for as long as it lives
_NAMES = ("a", "b")


def comparison(
    first: Bundle, second: Bundle, rows: CommonRows, *, rounds: int, threads: int, batch_rows: int = 64
) -> dict[str, Any]:
    """Loss, decisions, latency, size and hyperparameters; every difference is the second's minus the first's.

    Both models run in this process on the CPU, after their golden rows have passed.

    Args:
        first: The one that ratios refer to.
        second: Comparable with it.
        rows: Run through both.
        rounds: Of the latency measurement, in which both take turns; fewer where they would take longer than a minute.
        threads: Of ONNX Runtime.
        batch_rows: Rows that are answered together, the server's largest batch: dynamic INT8 depends on it.

    Raises:
        BundleError: A bundle does not load, or fails its golden rows.
    """
    pair = dict(zip(_NAMES, (first, second), strict=True))
    sessions = {name: bundle.verified_session(threads=threads) for name, bundle in pair.items()}
    times = _times(pair, sessions, rows.inputs, rounds)
    outputs = {name: outputs_of(session, rows.inputs, batch_rows) for name, session in sessions.items()}
    return {
        "model": first.manifest.model,
        "kind": first.manifest.kind,
        **{name: _card(bundle) for name, bundle in pair.items()},
        "rows": {"count": len(rows), "from": rows.where, "labelled": rows.labels is not None, "batch": batch_rows},
        "loss": _loss(first, outputs, rows.labels),
        "answers": _answers(first, outputs),
        "latency": _latency(times),
        "rounds": times.rounds,
        "size_ratio": second.size_bytes / first.size_bytes,
        "hyperparameters": differences(_hyperparameters(first), _hyperparameters(second)),
        "hardware": hardware(),
        "compared_at": time.time(),
    }


def differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What is not the same in both; None where one does not have it.

    Example:
        >>> differences({"units": 8, "rate": 0.1}, {"units": 16, "rate": 0.1, "loss": "focal"})
        {'loss': [None, 'focal'], 'units': [8, 16]}
    """
    return {name: [one.get(name), two.get(name)] for name in sorted({*one, *two}) if one.get(name) != two.get(name)}


def _card(bundle: Bundle) -> dict[str, Any]:
    attestation = bundle.attestation() or {}
    return {
        "digest": bundle.digest,
        "recipe": bundle.manifest.recipe,
        "model_bytes": bundle.size_bytes,
        "reference_loss": bundle.reference.loss_mean,
        "versions": attestation.get("versions", {}),
    }


def _loss(bundle: Bundle, outputs: Mapping[str, Tensors], labels: Array | None) -> dict[str, Any] | None:
    """Bounded losses of the kind, in [0, 1], paired row by row; None without labels."""
    if labels is None:
        return None
    manifest = bundle.manifest
    losses = {name: row_losses(manifest.kind, found, labels, manifest.parameters) for name, found in outputs.items()}
    interval = difference_of(losses["a"], losses["b"], 0.0)
    return {
        **{name: float(found.mean()) for name, found in losses.items()},
        "difference": float((losses["b"] - losses["a"]).mean()),
        "interval": interval.to_json(),
    }


def _answers(bundle: Bundle, outputs: Mapping[str, Tensors]) -> dict[str, Any]:
    name = bundle.manifest.signature.outputs[0].name
    one, two = (outputs[which][name].astype(np.float64) for which in _NAMES)
    decide = kind_of(bundle.manifest.kind).decisions
    same = decide(one, bundle.manifest.parameters)[0] == decide(two, bundle.manifest.parameters)[0]
    decides = bundle.manifest.kind != "regression"  # there a value is no decision
    return {
        "agreement_ratio": float(same.reshape(len(one), -1).all(axis=1).mean()) if decides else None,
        "largest_difference": float(np.abs(one - two).max()),
        "mean_difference": float(np.abs(one - two).mean()),
    }


def _times(bundles: Mapping[str, Bundle], sessions: Mapping[str, Session], inputs: Tensors, rounds: int) -> Latencies:
    def load(name: str) -> Session:
        return bundles[name].session(threads=sessions[name].threads)

    return measure_latency(sessions, inputs, baseline="a", rounds=rounds, load=load, loads=_LOADS)


def _latency(times: Latencies) -> dict[str, Any]:
    return {
        str(batch): {"a_seconds": times.seconds["a"][batch], "b_seconds": seconds, "ratio": times.ratio["b"][batch]}
        for batch, seconds in times.seconds["b"].items()
    }


def _hyperparameters(bundle: Bundle) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ((bundle.attestation() or {}).get("lineage", {}).get("trial") or {}).get(
        "hyperparameters"
    ) or {}
    return found
