"""Signed bundles on the command line, and their short names in BentoML's store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evertune.bundle import BundleStore
from evertune.settings import Project

Run = Callable[..., Any]
Seal = Callable[[float], str]
_EVERTUNE = ("-c", "from cli.main import main; main()")


@pytest.fixture
def public_key(run: Run, project: Project) -> str:
    made = run("key", "signing", str(project.root / "signing.pem"), "--json")
    return str(made.json()["public_key"])


def test_only_what_a_trusted_key_has_signed_is_promoted(
    run: Run, project: Project, seal: Seal, public_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsigned = seal(1.0)
    monkeypatch.setenv("EVERTUNE_BUNDLES__REQUIRE_SIGNATURE_OF", json.dumps([public_key]))
    refused = run("promote", unsigned)
    assert (refused.code, "is not signed" in refused.err) == (7, True)
    assert run("status", "--json").json()["models"] == []
    assert "no signing key" in run("sign", unsigned).err
    monkeypatch.setenv("EVERTUNE_BUNDLES__SIGNING_KEY", "signing.pem")
    assert run("sign", unsigned[:12], "--json").json()["public_key"] == public_key
    assert run("promote", unsigned).code == 0
    found = {each["area"]: each for each in run("doctor", "--json").json()["findings"]}
    assert (found["signing"]["state"], public_key[:12] in found["signing"]["text"]) == ("ok", True)
    monkeypatch.setenv("EVERTUNE_BUNDLES__REQUIRE_SIGNATURE_OF", json.dumps(["0" * 64]))
    found = {each["area"]: each for each in run("doctor", "--json").json()["findings"]}
    assert found["signing"]["state"] == "warning"
    assert found["champion shoes"]["state"] == "problem"
    assert "is signed by" in found["champion shoes"]["text"]


def test_a_key_is_private_and_never_overwritten(run: Run, project: Project, public_key: str) -> None:
    path = project.root / "signing.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert run("key", "signing", str(path)).code == 3
    assert path.read_bytes() == before
    shown = run("key", "signing", str(project.root / "other.pem")).out
    assert "signing_key = " in shown
    assert "PRIVATE" not in shown


@pytest.mark.parametrize("value", ['["abc"]', '["' + "A" * 64 + '"]'])
def test_a_public_key_that_is_none_is_refused(
    run: Run, project: Project, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("EVERTUNE_BUNDLES__REQUIRE_SIGNATURE_OF", value)
    assert "bundles.require_signature_of" in run("status").err


def test_bentoml_itself_lists_what_was_promoted(run: Run, project: Project, seal: Seal, tmp_path: Path) -> None:
    first, second = seal(1.0), seal(2.0)
    home = {**os.environ, "BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}

    def start(*command: str) -> str:
        done = subprocess.run([sys.executable, *command], env=home, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    start(*_EVERTUNE, "promote", first)
    assert json.loads(start(*_EVERTUNE, "alias", second, "--json")) == {"tags": [f"shoes:{second[:12]}"]}
    listed = json.loads(start("-m", "bentoml", "models", "list", "--output", "json"))
    assert {each["tag"] for each in listed} == {f"shoes:{first[:12]}", f"shoes:{second[:12]}"}
    bundle = BundleStore.of(project).get(second)
    stored = tmp_path / "bentoml" / "models" / "shoes" / second[:12]
    assert (stored / "model.onnx").read_bytes() == bundle.model_bytes()
