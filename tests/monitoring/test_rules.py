from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.names import METRICS

_ROOT = Path(__file__).resolve().parents[2]
_RULES = _ROOT / "monitoring" / "rules" / "evertune.rules.yml"
_TESTS = Path(__file__).with_name("evertune.rules.test.yml")
_DEPLOY = _ROOT / "deploy"

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
needs_amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(_RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    run("promtool", "check", "rules", _RULES)


@needs_promtool
def test_every_alert_fires_when_it_should_and_is_silent_when_not(tmp_path: Path) -> None:
    tests = tmp_path / "rules.test.yml"
    tests.write_text(_TESTS.read_text(encoding="utf-8").replace("RULES", str(_RULES)), encoding="utf-8")
    run("promtool", "test", "rules", tests)


def test_every_alert_has_a_firing_and_a_silent_test() -> None:
    firing: set[str] = set()
    silent: set[str] = set()
    for test in yaml.safe_load(_TESTS.read_text(encoding="utf-8"))["tests"]:
        for case in test["alert_rule_test"]:
            (firing if case["exp_alerts"] else silent).add(case["alertname"])
    names = {alert["alert"] for alert in alerts()}
    assert firing == names
    assert silent == names


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    runbook = _ROOT / alert["annotations"]["runbook_url"]
    assert runbook.name == f"{alert['alert']}.md"
    text = runbook.read_text(encoding="utf-8")
    assert [part for part in ("## What it means", "## What to look at", "## What to do") if part not in text] == []


def test_only_labels_can_trigger_a_retune() -> None:
    assert [alert["alert"] for alert in alerts() if "action" in alert["labels"]] == ["ModelHarmfulDrift"]


@needs_promtool
def test_promtool_accepts_the_sample_configuration(tmp_path: Path) -> None:
    text = (_DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    copy = tmp_path / "prometheus.yml"
    copy.write_text(text.replace("/etc/prometheus/evertune.rules.yml", str(_RULES)), encoding="utf-8")
    run("promtool", "check", "config", copy)


@needs_amtool
def test_amtool_accepts_the_sample_configuration_and_routes_drift_to_the_retuner() -> None:
    path = _DEPLOY / "alertmanager" / "alertmanager.yml"
    run("amtool", "check-config", path)
    for labels, receiver in (
        (["alertname=ModelHarmfulDrift", "action=retune", "model=fashion"], "retune,people"),
        (["alertname=RetuneFailed", "model=fashion"], "people"),
    ):
        run("amtool", "config", "routes", "test", f"--config.file={path}", f"--verify.receivers={receiver}", *labels)


def test_the_sample_configuration_holds_no_secret() -> None:
    config = yaml.safe_load((_DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8"))
    (webhook,) = (receiver for receiver in config["receivers"] if receiver["name"] == "retune")
    (target,) = webhook["webhook_configs"]
    assert target["url"].endswith("/webhook/alertmanager")
    assert target["http_config"]["authorization"]["credentials_file"].startswith("/")


def test_rules_name_only_metrics_that_exist() -> None:
    known = {*METRICS, "evertune_spool_bytes"}  # of the server
    for alert in alerts():
        words = alert["expr"].replace("(", " ").replace("{", " ").replace("[", " ").replace(")", " ").split()
        assert {word for word in words if word.startswith("evertune_")} <= known
