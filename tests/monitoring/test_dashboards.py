from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import CollectorRegistry

from evertune.errors import EvertuneError
from monitoring.dashboards.__main__ import JSON_FOLDER, main
from monitoring.dashboards.book import BOARDS, render
from monitoring.dashboards.variables import interpolate
from monitoring.names import METRICS
from serve.metrics import Metrics

_ROOT = Path(__file__).resolve().parents[2]
_PROVISIONING = _ROOT / "deploy" / "grafana" / "provisioning"
each_board = pytest.mark.parametrize("name", BOARDS)


def board(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((JSON_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def expressions(document: dict[str, Any]) -> Iterator[str]:
    for panel in document["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (annotation["expr"] for annotation in document["annotations"]["list"])
    yield from (each["query"]["query"] for each in document["templating"]["list"] if each["type"] == "query")


@each_board
def test_the_committed_file_is_what_the_command_makes(name: str) -> None:
    assert (JSON_FOLDER / f"{name}.json").read_text(encoding="utf-8") == render(name)
    assert {path.stem for path in JSON_FOLDER.iterdir()} == set(BOARDS)


def test_the_command_writes_them_and_puts_the_address_of_the_documentation_in(tmp_path: Path) -> None:
    assert main(["--output", str(tmp_path), "--docs", "https://example.org/docs"]) == 0
    for name in BOARDS:
        written = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        (docs,) = (each for each in written["templating"]["list"] if each["name"] == "docs")
        assert docs["current"]["value"] == docs["query"] == "https://example.org/docs"


@each_board
def test_the_json_goes_through_the_sdk_and_comes_back_the_same(name: str) -> None:
    plugins.register_default_plugins()
    document = board(name)
    again = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))
    assert again == document


@each_board
def test_every_panel_says_what_it_shows_and_in_which_unit(name: str) -> None:
    document = board(name)
    assert document["uid"] == f"evertune-{name}"
    assert document["description"]
    for panel in document["panels"]:
        defaults = panel["fieldConfig"]["defaults"]
        assert len(panel["description"]) > 15, panel["title"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"][0]["value"] is None, panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
    titles = [panel["title"] for panel in document["panels"]]
    assert len(set(titles)) == len({panel["id"] for panel in document["panels"]}) == len(titles)


@each_board
def test_links_lead_to_runbooks_that_exist_and_to_the_other_dashboards(name: str) -> None:
    document = board(name)
    urls = [link["url"] for panel in document["panels"] for link in panel.get("links", [])]
    urls += [link["url"] for link in document["links"] if link["type"] == "link"]
    assert len(urls) >= 5
    assert [url for url in urls if not (_ROOT / url.replace("${docs}", "docs")).is_file()] == []
    assert [link["tags"] for link in document["links"] if link["type"] == "dashboards"] == [["evertune"]]


def test_every_alert_is_linked_from_a_dashboard() -> None:
    linked = " ".join(json.dumps(board(name)) for name in BOARDS)
    missing = [path.stem for path in (_ROOT / "docs" / "runbooks").glob("*.md") if f"/{path.name}" not in linked]
    assert missing == []


@each_board
def test_panels_fill_the_grid_without_overlap(name: str) -> None:
    places = [panel["gridPos"] for panel in board(name)["panels"]]
    cells = [
        {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        for place in places
    ]
    assert all(first.isdisjoint(second) for first, second in combinations(cells, 2))
    height = max(place["y"] + place["h"] for place in places)
    assert sum(map(len, cells)) == 24 * height


def test_what_can_be_chosen() -> None:
    chosen = {name: [each["name"] for each in board(name)["templating"]["list"]] for name in BOARDS}
    assert chosen == {
        "fleet": ["datasource", "model", "window", "docs"],
        "model": ["datasource", "model", "window", "docs"],
        "retuning": ["datasource", "model", "window", "docs"],
        "serving": ["datasource", "instance", "model", "docs"],
    }
    for name in BOARDS:
        marks = [annotation["name"] for annotation in board(name)["annotations"]["list"]]
        assert marks == ["Champion promoted", "Re-tune waits or runs"]


@each_board
def test_queries_name_only_metrics_that_exist(name: str) -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    served = {f"{family.name}{suffix}" for family in registry.collect() for suffix in ("", "_total", "_bucket")}
    served |= {f"{family.name}{suffix}" for family in registry.collect() for suffix in ("_sum", "_count")}
    exported = {f"{metric}{suffix}" for metric in METRICS for suffix in ("", "_bucket")}
    rules = yaml.safe_load((_ROOT / "monitoring" / "rules" / "evertune.recording.yml").read_text(encoding="utf-8"))
    recorded = {rule["record"] for group in rules["groups"] for rule in group["rules"]}
    for expression in expressions(board(name)):
        named = set(re.findall(r"(?:\w+:)?evertune_\w+(?::\w+)?", expression))
        assert named <= served | exported | recorded, expression
        assert named or expression.startswith("count(ALERTS")


def test_the_provisioned_data_source_is_the_default_of_the_dashboards() -> None:
    (source,) = yaml.safe_load((_PROVISIONING / "datasources" / "evertune.yaml").read_text())["datasources"]
    for name in BOARDS:
        variable = board(name)["templating"]["list"][0]
        assert (variable["query"], variable["current"]["value"]) == (source["type"], source["uid"])
    scraped = yaml.safe_load((_ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]


def test_the_provider_reads_a_folder_of_its_own_and_lets_nobody_edit() -> None:
    (provider,) = yaml.safe_load((_PROVISIONING / "dashboards" / "evertune.yaml").read_text())["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    assert provider["options"]["path"].startswith("/")


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(EvertuneError, match=r"\$modle"):
        interpolate('x{model="$modle"}', {"model": "a"})
