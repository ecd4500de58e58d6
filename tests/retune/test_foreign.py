"""Several projects on one ledger: each worker does its own model's jobs."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from evertune.declared_name import declared_name
from evertune.errors import TaskError
from retune.foreign import foreign_jobs, waiting_line
from retune.own_task import own_model

World = Any  # of conftest.py
_COMPUTED = """\
from evertune import task
from evertune.tensors import TensorSpec
print("noise on standard output")

class Task(task.Task):
    name = "-".join(["so", "late"])
    labels = ("a", "b")
    inputs = (TensorSpec("x", "float32", (2,)),)
    def load(self): ...
    def build(self, hp): ...
"""


def test_a_worker_leases_only_jobs_of_its_own_model(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.drift()
    foreign = world.ledger.jobs.create("other")  # the older job
    own = world.ledger.jobs.create("sign")

    def build(order: Any, check: Any) -> Any:
        raise ValueError("enough seen")

    worker = world.worker(build)
    with caplog.at_level(logging.INFO, "evertune.retune"):
        assert worker.run_once().id == own.id
        assert worker.run_once() is None
        assert worker.run_once() is None
    assert world.ledger.jobs.get(foreign.id) == foreign  # still queued, for the worker whose project owns it
    assert caplog.messages.count("1 job waits for a worker of model other") == 1
    assert foreign_jobs(world.ledger, "sign") == {"other": 1}
    assert foreign_jobs(world.ledger, "sign", ["other"]) == {}  # held: it waits for something else

    assert world.ledger.jobs.claim("its own worker", 60, models=("other",)).id == foreign.id
    assert foreign_jobs(world.ledger, "sign") == {}
    world.clock.now += 61  # ... which died
    assert foreign_jobs(world.ledger, "sign") == {"other": 1}
    assert world.ledger.jobs.claim("w", 60, models=()) is None


def test_the_lines_for_people() -> None:
    assert [waiting_line("x", count) for count in (1, 2)] == [
        "1 job waits for a worker of model x",
        "2 jobs wait for a worker of model x",
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('class Task(task.Task):\n    name: str = "plain"', "plain"),
        ('class Task(Task):\n    name = "plain"', "plain"),
        ('class Task(HyperModel):\n    name = "not the model\'s"', None),
        ("class Task(Shoes):\n    labels = ()", None),
        ('class Task(Task):\n    name = "a"\n    name = "b"', None),
        ("class Task(Task):\n    name = NAME", None),
        ("class Task(Task:\n", None),
        ("", None),
    ],
)
def test_a_name_is_read_without_running_the_file_only_where_it_is_plain(
    tmp_path: Path, text: str, name: str | None
) -> None:
    (tmp_path / "task.py").write_text(text)
    assert declared_name("task.py:Task", tmp_path) == name


def test_a_computed_name_is_asked_of_the_task_itself_and_a_broken_task_is_explained(world: World) -> None:
    path = world.project.root / "task.py"
    path.write_text(_COMPUTED)
    assert own_model(world.project) == "so-late"
    path.write_text("import no_such_library\n")
    with pytest.raises(TaskError, match=r"task\.py, line 1: .*no_such_library"):
        world.worker()
    path.write_text("import os\nos._exit(3)\n")
    with pytest.raises(TaskError, match="ended its process with 3"):
        own_model(world.project)
    assert json.dumps(foreign_jobs(world.ledger, None)) == "{}"
