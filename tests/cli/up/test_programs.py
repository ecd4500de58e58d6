"""Which processes a project has."""

from __future__ import annotations

from pathlib import Path

from cli.up.programs import own_programs
from evertune.settings import load_project


def test_a_machine_that_only_serves_has_no_worker(tmp_path: Path) -> None:
    (tmp_path / "evertune.toml").write_text('project.task = "tasks/shoes.py:Shoes"\n')
    project = load_project(tmp_path)
    assert [each.name for each in own_programs(project, {})] == ["serve", "monitor"]
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "shoes.py").touch()
    assert [each.name for each in own_programs(project, {})] == ["serve", "monitor", "retune"]
