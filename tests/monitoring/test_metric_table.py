"""The table of metrics in the documentation is the one that the code would write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from monitoring.names import METRICS
from serve.metrics import Metrics

_ROOT = Path(__file__).resolve().parents[2]
_DOCS = (_ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
_UNITS = {
    "_timestamp_seconds": "seconds since the epoch",
    "_seconds": "seconds",
    "_bytes": "bytes",
    "_ratio": "0 to 1",
    "_rows": "rows",
    "_log10_evidence": "log10",
    "_log10_threshold": "log10",
    "_drift_statistic": "0 to 1",
    "_drift_threshold": "0 to 1",
}
_COUNTED = {
    "evertune_predictions_total": "rows",
    "evertune_monitor_dropped_total": "rows",
    "evertune_labels_total": "labels",
    "evertune_labels_received_total": "labels",
    "evertune_labels_unmatched_total": "labels",
    "evertune_labels_waiting": "labels",
    "evertune_label_late_clicks_total": "clicks",
}


def row(name: str, kind: str, labels: tuple[str, ...], meaning: str) -> str:
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), _COUNTED.get(name, "-"))
    named = ", ".join(f"`{label}`" for label in labels) or "-"
    return f"| `{name}` | {kind} | {named} | {unit} | {meaning} |"


def of_the_exporter() -> Iterator[str]:
    for name, definition in METRICS.items():
        yield row(name, definition.kind, definition.labels, definition.help)


def of_the_server() -> Iterator[str]:
    metrics = Metrics(CollectorRegistry())
    metrics.serving("shoes")
    metrics.answered("/predict", 200, 0.1)
    metrics.predicted("shoes", np.ones(1, np.float32))
    for family in text_string_to_metric_families(metrics.expose().decode()):
        samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        if samples:
            labels = tuple(name for name in samples[0].labels if name != "le")
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield row(name, family.type, labels, family.documentation)


def documented(heading: str) -> list[str]:
    section = _DOCS.partition(f"\n### {heading}\n")[2].partition("\n#")[0]
    return [line for line in section.splitlines() if line.startswith("| `evertune_")]


@pytest.mark.parametrize(
    ("heading", "expected"),
    [("Of the exporter", list(of_the_exporter())), ("Of the server", list(of_the_server()))],
    ids=["exporter", "server"],
)
def test_the_documented_table_is_what_the_code_says(heading: str, expected: list[str]) -> None:
    assert documented(heading) == expected, "the table should be:\n" + "\n".join(expected)


def test_every_recording_rule_is_documented() -> None:
    text = (_ROOT / "monitoring" / "rules" / "evertune.recording.yml").read_text(encoding="utf-8")
    names = [rule["record"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    assert [name for name in names if "`" + re.sub(r"(5m|30m|1h|6h)$", "", name) not in _DOCS] == []
