"""No challenger may be worse on a slice that the task guards, whatever it gains elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from cli.explain.explain import explain_job
from cli.explain.story import read_story
from evertune.bundle import Bundle
from retune.challenger import Challenger
from retune.guards import compare_losses, explain, verdict
from retune.own_task import own_slices

World = Any  # of conftest.py
_SETTINGS = {"min_slice_labels": 40, "slice_margin": 0.2, "report_wait_seconds": 0}
_GUARDS = """
    def guarded_slices(self, inputs):
        x = inputs["x"]
        return {"corner": (x[:, 0] < 0) & (x[:, 1] > 0), "left": x[:, 0] < 0}
"""


def prepare(world: World, guards: str = _GUARDS) -> Bundle:
    """A champion that looks at the wrong number, and so is right in two of four quadrants; and a pending job."""
    path = world.project.root / "task.py"
    path.write_text(path.read_text() + guards)
    champion: Bundle = world.seal(0.0, tilt=1.0)
    world.ledger.registry.promote("sign", champion.digest, reason="first", actor="test")
    world.sign = -1.0
    world.live(100, champion)
    world.ledger.jobs.create("sign")
    return champion


def work(world: World, champion: Bundle, challenger: Bundle, rows: int) -> Any:
    def build(order: Any, check: Callable[[], None]) -> Challenger:
        world.live(rows, champion)
        return Challenger(challenger.digest, {}, 1)

    return world.worker(build).run_once()


@pytest.mark.parametrize(("guards", "status"), [((), "promoted"), (("corner", "left"), "rejected")])
def test_a_gain_in_all_does_not_pay_for_a_loss_on_a_guarded_slice(
    make_world: Callable[..., World], clock: Any, guards: tuple[str, ...], status: str
) -> None:
    world = make_world(clock, **_SETTINGS)
    champion = prepare(world)
    challenger = world.seal(-1.0, tilt=-1.0, bias=-0.5, guards=guards)  # wrong in the corner alone
    job = work(world, champion, challenger, 300)
    assert (job.status, job.detail["gate"]["p_value"] < 0.01) == (status, True)
    if guards:
        gate = job.detail["gate"]
        assert gate["outcome"] == gate["slices"]["corner"]["outcome"] == "not_better"
        assert gate["slices"]["corner"]["difference"] > 0.5
        assert job.detail["reason"].startswith("fails on the guarded slice 'corner', where it is not shown to be less")
        told = [line for part in explain_job(read_story(world.project, world.ledger, job.id)) for line in part.lines]
        assert any(line.startswith("Guarded slice corner: ") and "not passed" in line for line in told)
    else:
        assert "slices" not in job.detail["gate"]


def test_the_gate_waits_for_rows_of_a_guarded_slice_and_then_tests_all_of_them(
    make_world: Callable[..., World], clock: Any
) -> None:
    world = make_world(clock, **_SETTINGS)
    champion = prepare(world)
    done = threading.Event()

    def outside() -> None:
        while not done.wait(0.01) and world.job().phase != "gate":
            pass
        while not done.wait(0.2) and not world.ledger.jobs.rows(world.job().id, "gate"):
            world.live(40, champion)

    thread = threading.Thread(target=outside)
    thread.start()
    try:
        job = work(world, champion, world.seal(-1.0, guards=("corner", "left")), 85)
    finally:
        done.set()
        thread.join()
    assert job.status == "promoted", job.detail
    gate = job.detail["gate"]
    assert gate["outcome"] == "better"
    assert gate["rows"] > 85
    corner, left = (gate["slices"][name] for name in ("corner", "left"))
    assert (corner["difference"], corner["margin"]) == (0.0, 0.2)  # both are right there: no worse is enough
    assert 40 <= corner["rows"] < left["rows"] < gate["rows"]
    assert corner["error_rate"] == left["error_rate"] == gate["error_rate"]


def test_too_few_rows_of_a_guarded_slice_are_insufficient_and_spend_nothing(make_world: Callable[..., World]) -> None:
    world = make_world(gate_wait_seconds=1.5, **_SETTINGS)
    champion = prepare(world, _GUARDS.replace("x[:, 0] < 0}", "x[:, 0] > 0.999}"))
    job = work(world, champion, world.seal(-1.0, guards=("corner", "left")), 100)
    assert job.status == "insufficient"
    assert "of them in the guarded slice 'left', where 40 are needed" in job.detail["reason"]
    assert world.ledger.jobs.gate_rows_used("sign") == set()
    assert world.ledger.registry.champion("sign").digest == champion.digest


def test_slices_that_changed_since_the_search_fail_the_job(make_world: Callable[..., World]) -> None:
    world = make_world(**_SETTINGS)
    champion = prepare(world)
    job = work(world, champion, world.seal(-1.0, guards=("corner", "other")), 100)
    assert job.status == "failed"
    assert "guards ['corner', 'left'], and at the search it guarded ['corner', 'other']" in job.detail["reason"]
    assert world.ledger.jobs.gate_rows_used("sign") == set()


def test_masks_come_from_the_task_in_the_order_of_the_rows(world: World) -> None:
    prepare(world)
    x = np.array([[-1, 1], [1, 1], [-1, -1]], np.float32)
    masks = own_slices(world.project, {"x": x})
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "corner": [True, False, False],
        "left": [True, False, True],
    }


def finding(outcome: str, p_value: float = 0.001) -> Mapping[str, Any]:
    return {"outcome": outcome, "p_value": p_value, "error_rate": 0.01, "margin": 0.1, "rows": 7}


@pytest.mark.parametrize(
    ("whole", "slices", "outcome", "reason"),
    [
        (finding("not_better", 0.5), {"a": finding("better")}, "not_better", "not shown to be better: p = 0.5 of 0.01"),
        (finding("better"), {"a": finding("insufficient", 1.0), "b": finding("not_better", 0.3)}, "not_better", "'b'"),
        (finding("better"), {"a": finding("insufficient", 1.0)}, "insufficient", "7 in the guarded slice 'a'"),
        (finding("insufficient", 1.0), {}, "insufficient", "too few rows in the gate"),
    ],
)
def test_all_parts_must_pass_and_the_reason_names_the_one_that_does_not(
    whole: Mapping[str, Any], slices: dict[str, Mapping[str, Any]], outcome: str, reason: str
) -> None:
    found = verdict(whole, slices)
    assert found["outcome"] == outcome
    assert reason in explain(found)
    assert verdict(finding("better"), {"a": finding("better")})["outcome"] == "better"


def test_an_empty_slice_has_no_means() -> None:
    found = compare_losses(np.empty(0), np.empty(0), margin=0.1, error_rate=0.05, min_rows=1)
    assert (found["outcome"], found["champion_loss"], found["challenger_loss"]) == ("insufficient", None, None)
