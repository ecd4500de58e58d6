"""The doctor finds what is wrong, names what mends it, and changes nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from cli.doctor import examine as examination
from cli.doctor.finding import Finding
from cli.doctor.ledger import examine_ledger
from cli.doctor.packages import examine_packages
from cli.doctor.ports import examine_port
from cli.doctor.runtime import examine_runtime, gpus, judge_gpu, missing_libraries
from cli.doctor.tools import examine_tools
from evertune.bundle import BundleStore
from evertune.ids import new_request_id
from evertune.ledger import Ledger, Prediction
from evertune.settings import Project

Run = Callable[..., Any]
Seal = Callable[[float], str]
_LISTEN = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Callable[[str], tuple[int, int]]]:
    """Starts a process of that name that listens; gives port and pid."""
    children = []

    def start(name: str) -> tuple[int, int]:
        script = tmp_path / name
        script.write_text(f"{_LISTEN}; time.sleep(600)")
        child = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
        children.append(child)
        assert child.stdout is not None
        return int(child.stdout.readline()), child.pid

    yield start
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def healthy(run: Run, project: Project, seal: Seal, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project with task, key, token and champion, on ports that are free; the champion's digest."""
    (project.root / "task.py").write_text("")
    (project.root / "evertune.toml").write_text("[serve]\nport = 0\n[monitor]\nport = 0\n[retune]\nport = 0\n")
    monkeypatch.setenv("EVERTUNE_RETUNE__WEBHOOK_TOKEN", "secret")
    run("key", "create", "me")
    digest = seal(1.0)
    run("promote", digest)
    return digest


def of(findings: Any, area: str) -> Any:
    (found,) = (each for each in findings if each["area"] == area)
    return found


def test_a_healthy_project_has_no_problem(run: Run, healthy: str) -> None:
    done = run("doctor", "--json")
    found = done.json()["findings"]
    assert [each for each in found if each["state"] == "problem"] == []
    assert (done.code, done.json()["problems"]) == (0, 0)
    for area in ("python", "packages", "gpu", "bentoml", "settings", "task", "folder state", "port serve", "keys"):
        assert of(found, area)["state"] == "ok", area
    assert of(found, "champion shoes")["text"].startswith(healthy[:12])
    text = run("doctor").out
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "problems: 0" in text


def test_outside_a_project_the_machine_is_examined_all_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("doctor", "--json")
    assert done.code == 1
    assert of(done.json()["findings"], "python")["state"] == "ok"
    assert "evertune init" in of(done.json()["findings"], "settings")["fix"]


def test_a_new_project_is_left_as_it_is_and_told_what_comes_next(run: Run, project: Project) -> None:
    before = sorted(project.root.rglob("*"))
    found = run("doctor", "--json").json()["findings"]
    assert sorted(project.root.rglob("*")) == before
    assert of(found, "champion")["fix"] == "evertune tune && evertune export --promote"
    assert of(found, "task")["state"] == "problem"
    assert of(found, "keys")["fix"] == "evertune key create NAME"
    assert of(found, "webhook")["state"] == "warning"
    assert of(found, "ledger")["state"] == "ok"


def test_a_damaged_champion_is_a_problem(run: Run, project: Project, healthy: str) -> None:
    model = BundleStore(project.bundle_url).get(healthy).model_path
    model.chmod(0o644)
    model.write_bytes(model.read_bytes()[:-1] + b"!")
    done = run("doctor", "--json")
    found = of(done.json()["findings"], "champion shoes")
    assert (done.code, found["state"]) == (1, "problem")
    assert "model.onnx" in found["text"]
    assert "evertune rollback --model shoes" in found["fix"]


def test_a_setting_that_is_wrong_is_named(run: Run, project: Project) -> None:
    (project.root / "evertune.toml").write_text("[serve]\nprot = 1\n")
    found = of(run("doctor", "--json").json()["findings"], "settings")
    assert (found["state"], found["fix"]) == ("problem", "Did you mean serve.port?")


def test_folders_that_cannot_be_written(run: Run, project: Project) -> None:
    (project.root / "evertune.toml").write_text('[project]\nstate = "/proc/evertune"\n')
    found = run("doctor", "--json").json()["findings"]
    assert of(found, "folder state")["state"] == "problem"
    assert "chown" in of(found, "folder state")["fix"]
    assert of(found, "folder runs")["state"] == "ok"


def test_a_taken_port_names_its_owner(listener: Callable[[str], tuple[int, int]]) -> None:
    port, pid = listener("intruder.py")
    found = examine_port("serve", "127.0.0.1", port)
    assert found.state == "problem"
    assert "intruder.py" in found.text
    assert f"pid {pid}" in found.text
    assert found.fix == f"Stop it, or run with EVERTUNE_SERVE__PORT={port + 1}."


def test_a_port_of_our_own_is_fine(listener: Callable[[str], tuple[int, int]]) -> None:
    port, _ = listener("evertune")
    assert examine_port("monitor", "127.0.0.1", port).state == "ok"
    assert examine_port("monitor", "127.0.0.1", 0).state == "ok"


def install(folder: Path, name: str, version: str, *needs: str) -> None:
    """What pip leaves of a distribution."""
    place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    place.mkdir()
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {each}" for each in needs)]
    (place / "METADATA").write_text("\n".join(lines) + "\n")


def test_two_onnx_runtimes_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "onnxruntime", "1.2.3")
    install(tmp_path, "onnxruntime-gpu", "1.31.1")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = next(iter(examine_runtime()))
    assert found.state == "problem"
    assert found.text == "onnxruntime 1.2.3 and onnxruntime-gpu 1.31.1 overwrite each other"
    assert found.fix is not None
    assert found.fix.startswith("pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'onnxruntime-gpu==1.31.1'")


def test_requirements_are_followed_down_the_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "top", "1.0", "middle>=1", "absent; python_version < '3'", "later; extra == 'tune'")
    install(tmp_path, "middle", "1.5", "numpy>=99", "top", "nosuchthing>=2")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = [each for each in examine_packages("top") if each.area == "packages"]
    assert sorted(each.text.split(", installed is")[0] for each in found) == [
        "middle needs nosuchthing>=2, which is not installed",
        "middle needs numpy>=99",
        "searching needs later; serving does not",
    ]
    assert [each.state for each in found].count("problem") == 2


@pytest.mark.parametrize(
    ("found", "offered", "missing", "state", "mend"),
    [
        ([], ["CPUExecutionProvider"], [], "ok", None),
        (["NVIDIA H100"], ["CPUExecutionProvider"], [], "warning", "onnxruntime-gpu[cuda,cudnn]"),
        (["NVIDIA H100"], ["CUDAExecutionProvider"], ["libcudnn.so.9"], "warning", "onnxruntime-gpu[cuda,cudnn]"),
        (["NVIDIA H100"], ["CUDAExecutionProvider"], [], "ok", None),
    ],
    ids=["none", "wrong wheel", "no libraries", "good"],
)
def test_gpu(found: list[str], offered: list[str], missing: list[str], state: str, mend: str | None) -> None:
    (finding,) = judge_gpu(found, offered, missing)
    assert finding.state == state
    assert all(name in finding.text for name in [*found, *missing])
    assert (finding.fix is None) if mend is None else (mend in (finding.fix or ""))


def test_the_driver_is_asked_for_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA T4'\necho 'NVIDIA T4'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert gpus() == ["NVIDIA T4", "NVIDIA T4"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpus() == []
    assert all(name.startswith("lib") and ".so" in name for name in missing_libraries())


def test_programs_that_are_missing_come_with_their_package(tmp_path: Path) -> None:
    found = {each.area: each for each in examine_tools(str(tmp_path))}
    assert found["bentoml"].state == "ok"  # beside the interpreter
    assert found["alertmanager"].fix == "sudo apt-get install prometheus-alertmanager"
    assert found["promtool"].state == "warning"


def test_a_ledger_that_is_no_database(project: Project) -> None:
    project.state.mkdir()
    (project.state / "ledger.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    (found,) = examine_ledger(project)
    assert found.state == "problem"
    assert "not a database" in found.text


def test_a_ledger_of_another_schema(project: Project) -> None:
    with Ledger.open(project.ledger_url) as ledger, ledger.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    (found,) = examine_ledger(project)
    assert (found.state, found.fix) == ("problem", "Upgrade Evertune.")
    with Ledger.open("sqlite:///other.db") as ledger:
        assert ledger is not None
    (project.state / "ledger.db").unlink()
    (project.state / "ledger.db").write_bytes(b"")
    assert [each.state for each in examine_ledger(project)] == ["warning"]


def test_a_damaged_page_is_found(project: Project) -> None:
    with Ledger.open(project.ledger_url) as ledger, ledger.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        page = connection.scalar(text("SELECT rootpage FROM sqlite_master WHERE name = 'labels'"))
        size = connection.scalar(text("PRAGMA page_size"))
    path = project.state / "ledger.db"
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : (page - 1) * size + 64] = b"\xff" * 64
    path.write_bytes(content)
    (found,) = examine_ledger(project)
    assert found.state == "problem"
    assert found.fix


def test_rows_from_the_future_mean_a_wrong_clock(project: Project) -> None:
    with Ledger.open(project.ledger_url) as ledger:
        output = {"probabilities": np.ones((1, 1), np.float32)}
        late = Prediction(new_request_id(), "shoes", "a" * 64, 5000.0, output, np.ones(1, np.float32))
        ledger.predictions.add_many([late])
    clock = {each.area: each for each in examine_ledger(project, lambda: 4000.0)}["clock"]
    assert clock.state == "problem"
    assert "1000 s in the future" in clock.text
    assert {each.area: each.state for each in examine_ledger(project, lambda: 4950.0)}["clock"] == "ok"


def test_a_check_that_fails_hinders_no_other(run: Run, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Project) -> Iterator[Finding]:
        yield Finding("folders", "ok", "so far")
        raise RuntimeError("boom")

    checks = tuple((area, broken if area == "folders" else check) for area, check in examination._PROJECT)
    monkeypatch.setattr(examination, "_PROJECT", checks)
    found = run("doctor", "--json").json()["findings"]
    assert [each["text"] for each in found if each["area"] == "folders"] == [
        "so far",
        "the check itself failed: RuntimeError: boom",
    ]
    assert of(found, "ledger")


def test_jobs_of_other_models_wait_for_workers_of_other_projects(run: Run, healthy: str, project: Project) -> None:
    (project.root / "task.py").write_text('class Task(Task):\n    name = "shoes"\n')
    with Ledger.open(project.ledger_url) as ledger:
        ledger.jobs.create("shoes")
        ledger.jobs.create("hats")
    found = of(run("doctor", "--json").json()["findings"], "jobs")
    assert (found["state"], found["text"]) == ("warning", "1 job waits for a worker of model hats")
    assert "evertune retune" in found["fix"]
    assert run("status", "--json").json()["waiting"] == {"hats": 1}
    assert "1 job waits for a worker of model hats" in run("status").out
    (project.root / "task.py").write_text("broken")  # then this project can do no job at all
    assert run("status", "--json").json()["waiting"] == {"hats": 1, "shoes": 1}
