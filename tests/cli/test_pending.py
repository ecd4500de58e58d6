"""Nobody signs a measurement: what reads one must bear anything that has a target."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from benchmarks._bundle_faults.victim import make_victim
from cli.inspect.facts import bundle_facts
from cli.inspect.text import bundle_text
from cli.pending import still_pending
from evertune.bundle import Bundle, BundleStore

SOUND = {"target": "cuda", "recipes": ["fp16"], "what": "latency"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = make_victim(tmp_path_factory.mktemp("victim")).bundle
    store = BundleStore(str(folder.parent))
    pending: list[Any] = [
        SOUND,
        1,
        {},
        {**SOUND, "recipes": "fp16"},
        {**SOUND, "recipes": [1]},
        {**SOUND, "what": None},
    ]
    records: list[dict[str, Any]] = [
        {"pending": pending},
        {"pending": 7},
        {"recipes": {"fp16": {}}},
        {"recipes": 1},
        {"candidates": 1},
        {"recipes": {}, "hardware": {"cpu": "x"}, "measured_at": 1e300},
    ]
    for number, record in enumerate(records):
        store.add_measurement(folder.name, {"target": f"machine{number}", **record})
    return store.get(folder.name)


def test_what_is_malformed_is_not_pending(bundle: Bundle) -> None:
    assert still_pending(bundle) == [SOUND]


def test_inspect_shows_the_bundle_and_says_which_measurements_have_no_form(bundle: Bundle) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    for part in bundle_text(bundle_facts(bundle)):
        console.print(part)
    shown = console.export_text()
    for number in range(1, 6):
        assert f"A measurement on machine{number} that has not the form" in shown
    assert "pending on cuda: fp16: latency" in shown
