"""All dashboards, as files that Grafana reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from evertune.files import write_atomic
from monitoring.dashboards.fleet import fleet
from monitoring.dashboards.frame import docs_variable, source_variable
from monitoring.dashboards.model import model
from monitoring.dashboards.retuning import retuning
from monitoring.dashboards.serving import serving

DOCS = "docs"  # relative, as in the alert rules: put the address of your copy in front of it
BOARDS: dict[str, Callable[[], build.Dashboard]] = {
    "fleet": fleet,
    "model": model,
    "retuning": retuning,
    "serving": serving,
}


def render(name: str, docs: str = DOCS) -> str:
    """A dashboard as JSON.

    Args:
        name: A key of `BOARDS`.
        docs: Address of the folder that holds `runbooks/`.
    """
    board = BOARDS[name]().with_variable(docs_variable(docs)).build()
    assert board.templating is not None
    assert board.templating.list_val is not None
    board.templating.list_val.insert(0, source_variable().build())
    for number, panel in enumerate(board.panels or [], start=1):
        panel.id_val = number
    return json.dumps(board, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path, docs: str = DOCS) -> list[Path]:
    """Writes all dashboards, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in BOARDS:
        path = folder / f"{name}.json"
        write_atomic(path, render(name, docs).encode())
        paths.append(path)
    return paths
