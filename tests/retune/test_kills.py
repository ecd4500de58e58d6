from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retune.waiting import approve

World = Any  # of conftest.py
MODEL = "sign"
_PATIENCE_SECONDS = 60.0


def follow(world: World, script: subprocess.Popen[str]) -> None:
    """The world goes on meanwhile: labels during the search, and rows for the new champion."""
    searched = served = False
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while script.poll() is None:
        assert time.monotonic() < deadline, world.ledger.jobs.list(MODEL)
        jobs = world.ledger.jobs.list(MODEL)
        if jobs and jobs[0].phase == "gate" and not searched:
            world.live(100, world.champion)
            searched = True
        if jobs and jobs[0].status == "awaiting":
            approve(world.ledger, jobs[0].id, actor="ann")
        if world.ledger.registry.champion(MODEL).digest == world.challenger.digest and not served:
            world.serve_after_promotion(60, world.challenger)
            served = True
        time.sleep(0.01)


@pytest.mark.parametrize("promotion", ["auto", "approve"])
def test_killed_at_every_write_it_ends_as_if_never_killed(make_world: Callable[..., World], promotion: str) -> None:
    world = make_world(lease_seconds=0.15, poll_seconds=0.01, promotion=f'"{promotion}"')
    world.drift()
    digest = world.challenger.digest
    command = [sys.executable, str(Path(__file__).with_name("killed_worker.py")), str(world.project.root), digest]
    script = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        follow(world, script)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(script.pid, signal.SIGKILL)
        out, err = script.communicate()
    assert script.returncode == 0, (err, world.job())
    assert int(out) >= 20  # children that died

    (job,) = world.ledger.jobs.list(MODEL)
    assert (job.status, job.detail["reason"]) == ("promoted", "promoted and reported")
    accepted = [request for request in world.ledger.requests.list(MODEL) if request.status == "accepted"]
    assert [request.job_id for request in accepted] == [job.id]
    assert [each.digest for each in world.ledger.registry.history(MODEL)] == [world.champion.digest, digest]
    used = Counter(row for name in ("train", "gate", "report") for row in world.ledger.jobs.rows(job.id, name))
    assert set(used.values()) == {1}
    assert set(used) <= set(world.ids)
    assert job.attempt > 15
    assert job.detail["gate"]["gate_number"] == 1
    assert ("approval" in job.detail) == (promotion == "approve")
