"""promote, rollback, status and retune --now on a real ledger and real bundles."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from evertune.bundle import BundleStore
from evertune.ids import new_request_id, row_id
from evertune.ledger import Label, Ledger, Prediction
from evertune.settings import Project

Run = Callable[..., Any]
Seal = Callable[[float], str]


def test_promote_takes_a_prefix_and_rollback_goes_back(run: Run, project: Project, seal: Seal) -> None:
    first, second = seal(1.0), seal(2.0)
    assert run("promote", first[:12], "--reason", "the first").code == 0
    assert run("promote", second, "--json").json()["digest"] == second
    done = run("rollback", "--reason", "complaints")
    assert done.out == f"shoes: {first[:12]} is the champion again.\n"
    assert run("rollback").code == 9
    with Ledger.open(project.ledger_url) as ledger:
        reasons = [deployment.reason for deployment in ledger.registry.history("shoes")]
    assert reasons == ["the first", "by hand", "complaints"]


def test_a_bundle_with_one_byte_changed_is_not_promoted(run: Run, project: Project, seal: Seal) -> None:
    first, second = seal(1.0), seal(2.0)
    run("promote", first)
    model = BundleStore(project.bundle_url).get(second).model_path
    model.chmod(0o644)
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    assert run("promote", second).code == 7
    assert run("status", "--json").json()["models"][0]["champion"]["digest"] == first


def test_status_before_anything_happened(run: Run, project: Project) -> None:
    assert run("status", "--json").json()["models"] == []
    assert "evertune tune" in run("status").out


def test_status_tells_labels_evidence_and_requests(run: Run, project: Project, seal: Seal) -> None:
    digest = seal(1.0)
    run("promote", digest)
    with Ledger.open(project.ledger_url) as ledger:
        request_id = new_request_id()
        outputs = {"probabilities": np.array([[0.2, 0.8]], np.float32)}
        ledger.predictions.add_many(
            [Prediction(request_id, "shoes", digest, ledger.clock(), outputs, np.array([0.8], np.float32))]
        )
        ledger.labels.add_many([Label(row_id(request_id, 0), 1)])
    asked = run("retune", "--now", "--reason", "new camera", "--json").json()
    assert asked["evidence"]["reason"] == "new camera"
    model = run("status", "--json").json()["models"][0]
    assert model["since_promotion"]["predicted_rows"] == 1
    assert model["requests"][0]["trigger"] == "manual"
    assert model["reference"]["loss_mean"] == 0.1
    text = run("status").out
    assert digest[:12] in text
    assert "manual: open" in text


def test_keys_are_listed_without_their_secrets(run: Run, project: Project) -> None:
    secret = run("key", "create", "shop", "--role", "predict", "--json").json()["api_key"]
    listed = run("key", "list", "--json").json()
    assert [(key["name"], key["roles"], key["revoked_at"]) for key in listed] == [("shop", ["predict"], None)]
    assert secret not in json.dumps(listed)
    assert run("key", "revoke", listed[0]["id"]).code == 0
    assert "revoked" in run("key", "list").out
