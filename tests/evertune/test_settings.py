from __future__ import annotations

import os
from pathlib import Path

import pytest

from evertune.errors import SettingsError
from evertune.settings import Project, Settings, load_project


@pytest.fixture(autouse=True)
def _no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("EVERTUNE_"):
            monkeypatch.delenv(name)


def write(folder: Path, text: str = "") -> Path:
    (folder / "evertune.toml").write_text(text, encoding="utf-8")
    return folder


def test_an_empty_file_gives_the_defaults_and_paths_inside_the_project(tmp_path: Path) -> None:
    project = load_project(write(tmp_path))
    assert project.settings == Settings()
    state = tmp_path / ".evertune"
    assert project.ledger_url == f"sqlite:///{state}/ledger.db"
    assert project.bundle_url == str(state / "bundles")
    assert (project.studies, project.spool, project.keys_path) == (
        state / "studies",
        state / "spool",
        state / "keys.json",
    )
    assert project.runs == tmp_path / "runs"


def test_the_file_is_found_from_below_and_through_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "[serve]\nport = 4000\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert load_project(below).root == tmp_path
    monkeypatch.setenv("EVERTUNE_PROJECT", str(tmp_path))
    assert load_project().settings.serve.port == 4000
    monkeypatch.delenv("EVERTUNE_PROJECT")
    monkeypatch.chdir(below)
    assert load_project().settings.serve.port == 4000


def test_the_environment_wins_key_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "[serve]\nport = 4000\nworkers = 3\n")
    monkeypatch.setenv("EVERTUNE_SERVE__PORT", "5000")
    monkeypatch.setenv("EVERTUNE_MONITOR__TOLERANCE", "0.05")
    settings = load_project(tmp_path).settings
    assert (settings.serve.port, settings.serve.workers, settings.monitor.tolerance) == (5000, 3, 0.05)


def test_the_export_proves_the_largest_batch_that_is_served(tmp_path: Path) -> None:
    assert load_project(write(tmp_path, "[serve]\nmax_batch_rows = 200\n")).settings.export.batch_rows == 200
    both = "[serve]\nmax_batch_rows = 200\n[export]\nbatch_rows = 300\n"
    assert load_project(write(tmp_path, both)).settings.export.batch_rows == 300


def test_urls_stay_and_relative_folders_are_the_projects(tmp_path: Path) -> None:
    write(tmp_path, '[store]\nledger_url = "postgresql+psycopg://db/x"\nbundle_url = "s3://bucket/x"\n')
    project = load_project(tmp_path)
    assert (project.ledger_url, project.bundle_url) == ("postgresql+psycopg://db/x", "s3://bucket/x")
    write(tmp_path, '[store]\nbundle_url = "models"\n')
    assert load_project(tmp_path).bundle_url == str(tmp_path / "models")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[serve]\nprot = 1\n", r"unknown setting serve\.prot = 1 in .*evertune\.toml.*Did you mean serve\.port\?"),
        ("[serve]\nzzz = 1\n", r"unknown setting serve\.zzz.*Known keys of \[serve\]: host, port"),
        ("[server]\nport = 1\n", r"unknown setting server = .* in .*Known sections: project, store"),
        ("[serve]\nport = 70000\n", r"setting serve\.port = 70000 in .*evertune\.toml.*65535"),
        ('[serve]\nport = "many"\n', r"setting serve\.port = 'many'"),
        ('[tune]\nbackend = "jax"\n', r"tune\.backend = 'jax'.*torch"),
        ("[export]\nallowance_ratio = 1.0\n", r"allowance_ratio = 1\.0"),
        ("[serve\n", r"evertune\.toml is not valid TOML.*line 1"),
        ("serve = 3\n", r"setting serve = 3"),
    ],
)
def test_mistakes_in_the_file_name_key_value_and_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        load_project(write(tmp_path, text))
    assert raised.value.fix


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("EVERTUNE_SERVE__PORT", "many", r"serve\.port = 'many' in the environment variable EVERTUNE_SERVE__PORT"),
        (
            "EVERTUNE_SERVE__PROT",
            "1",
            r"unknown setting serve\.prot = '1' in the environment variable EVERTUNE_SERVE__PROT",
        ),
        ("EVERTUNE_SERVE_PORT", "1", r"unknown setting serve_port = '1' .*EVERTUNE_SERVE_PORT.*EVERTUNE_SERVE__PORT"),
        ("EVERTUNE_RETUNE__WEBHOK_TOKEN", "hush", r"unknown setting retune\.webhok_token = \.\.\. in"),
        ("EVERTUNE_SERVER__PORT", "1", r"unknown setting server\.port.*Known sections"),
    ],
)
def test_mistakes_in_the_environment_name_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        load_project(write(tmp_path))


def test_a_variable_that_is_no_json_object_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERTUNE_SERVE", "{broken")
    with pytest.raises(SettingsError, match="does not parse"):
        load_project(write(tmp_path))


def test_a_folder_without_a_project_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no evertune\.toml in .*evertune init NAME"):
        load_project(tmp_path)


def test_settings_cannot_be_changed_once_read(tmp_path: Path) -> None:
    project: Project = load_project(write(tmp_path))
    with pytest.raises(ValueError, match="frozen"):
        project.settings.serve.port = 1
