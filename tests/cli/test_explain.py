"""The story of real jobs, worked off by the real worker in the small world of the re-tuner's tests."""

from __future__ import annotations

import html
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.explain.explain import explain_job
from cli.explain.story import read_story
from cli.reports.job_figures import evidence_path
from evertune.ledger import Ledger
from evertune.settings import Project
from retune.ask import ask
from retune.challenger import Challenger
from retune.decision import Decider
from retune.rollback import rollback

Run = Callable[..., Any]
World = Any  # of tests/retune/conftest.py
PARTS = ["cause", "data", "trials", "candidates", "test", "decision", "recovery"]


@pytest.fixture
def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """`make_world(gate_wait_seconds=0, ...)`: the re-tuner's world, and the working folder in its project."""
    path = Path(__file__).parents[1] / "retune" / "conftest.py"
    spec = importlib.util.spec_from_file_location("retune_world", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["retune_world"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ledgers = []

    def make(**changes: object) -> World:
        project = module.open_project(tmp_path / "world", **changes)
        monkeypatch.chdir(project.root)
        ledgers.append(Ledger.open(project.ledger_url))
        return module.World(project, ledgers[-1], module.BundleStore(project.bundle_url), None)

    yield make
    for ledger in ledgers:
        ledger.close()
    del sys.modules["retune_world"]


def work(world: World, build: Any = None) -> None:
    """Decides what is open, and carries the job to its end; a promoted challenger serves, and labels come."""
    Decider(world.ledger, world.project.settings.retune).step()
    done, challenger = threading.Event(), world.challenger.digest

    def outside() -> None:
        while not done.wait(0.01):
            champion = world.ledger.registry.champion("sign")
            if champion.digest == challenger:
                world.serve_after_promotion(60, world.challenger)
                return

    thread = threading.Thread(target=outside)
    thread.start()
    try:
        world.worker(build).run_once()
    finally:
        done.set()
        thread.join()


def test_the_story_of_a_promotion(run: Run, make_world: Callable[..., World]) -> None:
    world = make_world()
    world.drift()
    work(world)
    found = run("explain", "1", "--json").json()
    assert [key for key in found if key in PARTS] == PARTS
    assert (found["job"], found["model"], found["status"]) == (1, "sign", "promoted")
    evidence = found["cause"]["figures"]["evidence"]
    assert evidence["alarmed"]
    detail = world.job().detail
    assert found["data"]["figures"]["counts"] == detail["counts"]
    assert found["test"]["figures"] == detail["gate"]
    text = run("explain").out
    assert all(f"\n{name}\n" in text for name in PARTS)
    assert "Asked for by the evaluator" in text
    assert f"The alarm came at label {evidence['alarm_at']}" in text
    assert f"Training: {detail['counts']['train']} labelled rows" in text
    assert f"Mean loss: champion {detail['gate']['champion_loss']:.3f}" in text
    assert "The challenger became champion." in text
    assert f"Of the accuracy that was lost, {detail['report']['recovered_ratio']:.0%} came back." in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_rollback_is_told(run: Run, make_world: Callable[..., World]) -> None:
    world = make_world()
    world.drift()
    work(world)
    rollback(world.ledger, "sign", reason="complaints", actor="me")
    found = run("explain", "--json").json()
    assert found["status"] == "rolled_back"
    assert any("complaints (by me)" in line for line in found["decision"]["lines"])
    assert found["decision"]["figures"]["successor"]["digest"] == world.champion.digest


def test_a_rejected_challenger_is_explained_by_its_test(run: Run, make_world: Callable[..., World]) -> None:
    world = make_world()
    world.drift()

    def build(order: Any, check: Callable[[], None]) -> Challenger:
        world.live(100, world.champion, noise=0.5)
        return Challenger(world.challenger.digest, {}, 1)

    work(world, build)
    found = run("explain", "--json").json()
    assert found["status"] == "rejected"
    assert found["decision"]["lines"][0] == "The champion stays: the challenger was rejected."
    gate = found["test"]["figures"]
    assert f"p = {gate['p_value']:.2g} > {gate['error_rate']:.2g}" in found["test"]["lines"][3]
    assert found["recovery"]["figures"] is None


def test_too_few_rows_are_told_with_their_number(run: Run, make_world: Callable[..., World]) -> None:
    world = make_world(gate_wait_seconds=0, min_train_labels=1000)
    world.drift()
    work(world)
    found = run("explain", "--json").json()
    assert found["status"] == "insufficient"
    assert any("labelled rows to train on, 1000 are needed" in line for line in found["decision"]["lines"])
    assert any("The asker saw evidence of 10^" in line for line in found["cause"]["lines"])
    assert found["data"]["lines"] == ["No labelled rows were chosen."]
    assert found["trials"]["lines"] == ["The job did not come to a search."]
    assert found["test"]["lines"] == ["No test was held."]


def test_a_request_by_hand_and_a_job_that_waits(run: Run, make_world: Callable[..., World]) -> None:
    world = make_world()
    world.ledger.registry.promote("sign", world.champion.digest, reason="first", actor="test")
    ask(world.ledger, "sign", without_drift=True, reason="new camera")
    Decider(world.ledger, world.project.settings.retune).step()
    told = run("explain").out
    assert "Asked for by hand" in told
    assert '"new camera".' in told
    assert "Waits for a worker." in told


def test_a_job_that_failed_tells_its_error(run: Run, make_world: Callable[..., World]) -> None:
    world = make_world()
    world.drift()

    def build(order: Any, check: Callable[[], None]) -> Any:
        raise ValueError("the disk is made of cheese")

    work(world, build)
    found = run("explain", "--json").json()
    assert found["status"] == "failed"
    assert any("made of cheese" in line for line in found["decision"]["lines"])


def test_an_unknown_job_lists_the_newest(run: Run, make_world: Callable[..., World]) -> None:
    world = make_world(gate_wait_seconds=0, min_train_labels=1000)
    assert run("explain").code == 2
    world.drift()
    work(world)
    done = run("explain", "99")
    assert (done.code, done.out) == (10, "")
    assert "there is no re-tune job 99" in done.err
    assert "The newest are 1 (sign, insufficient)." in done.err


def test_what_is_gone_is_left_out(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.drift()
    work(world)
    project: Project = world.project
    for path in (project.state / "bundles").rglob("attestation.json"):
        path.chmod(0o644)
        path.unlink()
    parts = {part.name: part for part in explain_job(read_story(project, world.ledger, None))}
    assert parts["candidates"].lines == ("The challenger's attestation is not at hand.",)
    assert "No" not in parts["test"].lines[0]


def test_the_page_of_a_job_tells_the_same_with_pictures(run: Run, make_world: Callable[..., World]) -> None:
    world = make_world()
    world.drift()
    work(world)
    world.evaluate()
    path = Path(run("report", "job", "1", "--json").json()["file"])
    text = path.read_text(encoding="utf-8")
    assert path.name == "job-1.html"
    parts = run("explain", "--json").json()
    for name in ("cause", "data", "test", "decision", "recovery"):
        for line in parts[name]["lines"]:
            assert html.escape(line) in text
    for title in ("Evidence of drift, label by label", "Loss of the challenger minus", "Recovery: share of rows right"):
        assert title in text
    assert "Live accuracy, rolling" in text


def test_the_drawn_evidence_is_what_the_detector_had(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.drift()
    work(world)
    record = world.ledger.detectors.load("sign", world.champion.digest)
    evidence = world.job().detail["evidence"]
    losses = world.ledger.losses.since("sign", world.champion.digest)[: evidence["labels"]]
    drawn = evidence_path(losses, evidence, record.state).data[0]
    assert len(drawn.x) == evidence["labels"]
    crossed = [x for x, y in zip(drawn.x, drawn.y, strict=True) if y >= evidence["log10_threshold"]]
    assert crossed[0] == evidence["alarm_at"]
    assert drawn.y[-1] == pytest.approx(evidence["log10_evidence"])


def test_a_job_that_came_to_nothing_has_a_page(run: Run, make_world: Callable[..., World]) -> None:
    world = make_world(gate_wait_seconds=0, min_train_labels=1000)
    world.drift()
    work(world)
    path = Path(run("report", "job", "--json").json()["file"])
    assert "too little to decide on" in path.read_text(encoding="utf-8")
