from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Metric

from monitoring.names import METRICS
from serve.metrics import Metrics

_ROOT = Path(__file__).resolve().parents[2]
_RULES = _ROOT / "monitoring" / "rules" / "evertune.rules.yml"
_RECORDING = _RULES.with_name("evertune.recording.yml")
_TESTS = Path(__file__).with_name("evertune.rules.test.yml")
_RECORDING_TESTS = Path(__file__).with_name("evertune.recording.test.yml")
_RUNBOOKS = _ROOT / "docs" / "runbooks"
_DEPLOY = _ROOT / "deploy"

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
needs_amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(_RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def recorded() -> list[dict[str, Any]]:
    groups = yaml.safe_load(_RECORDING.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    run("promtool", "check", "rules", _RULES, _RECORDING)


@needs_promtool
@pytest.mark.parametrize("path", [_TESTS, _RECORDING_TESTS], ids=["alerts", "recording"])
def test_the_rules_do_what_they_should_and_alerts_are_silent_when_not(tmp_path: Path, path: Path) -> None:
    tests = tmp_path / "rules.test.yml"
    text = path.read_text(encoding="utf-8").replace("- RULES", f"- {_RULES}").replace("- RECORDING", f"- {_RECORDING}")
    tests.write_text(text, encoding="utf-8")
    run("promtool", "test", "rules", tests)


def test_every_recording_rule_has_a_test() -> None:
    tests = yaml.safe_load(_RECORDING_TESTS.read_text(encoding="utf-8"))["tests"]
    tested = [case["expr"] for test in tests for case in test["promql_expr_test"]]
    assert sorted(tested) == sorted(rule["record"] for rule in recorded())


def test_recording_rules_are_named_by_level_metric_and_operation() -> None:
    for rule in recorded():
        level, metric, operation = rule["record"].split(":")
        assert re.search(rf"by \({', '.join(level.split('_'))}\b", rule["expr"]), rule["record"]
        assert metric.startswith("evertune_")
        assert operation


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


def test_every_runbook_is_of_an_alert_and_in_the_documentation() -> None:
    names = {alert["alert"] for alert in alerts()}
    assert {path.stem for path in _RUNBOOKS.glob("*.md")} == names
    text = (_ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert [name for name in names if f"[{name}](runbooks/{name}.md)" not in text] == []


def test_only_labels_can_trigger_a_retune() -> None:
    assert [alert["alert"] for alert in alerts() if "action" in alert["labels"]] == ["ModelHarmfulDrift"]


@needs_promtool
def test_promtool_accepts_the_sample_configuration(tmp_path: Path) -> None:
    text = (_DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    copy = tmp_path / "prometheus.yml"
    copy.write_text(text.replace("/etc/prometheus/", f"{_RULES.parent}/"), encoding="utf-8")
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
    registry = CollectorRegistry()
    Metrics(registry)
    of_the_server = {sample for family in registry.collect() for sample in sample_names(family)}
    of_the_exporter = {name for metric in METRICS for name in (metric, f"{metric}_bucket", f"{metric}_count")}
    known = of_the_server | of_the_exporter | {rule["record"] for rule in recorded()}
    for rule in [*alerts(), *recorded()]:
        named = set(re.findall(r"(?:\w+:)?evertune_\w+(?::\w+)?", rule["expr"]))
        assert named
        assert named <= known, rule


def sample_names(family: Metric) -> set[str]:
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
    return {family.name + suffix for suffix in suffixes}
