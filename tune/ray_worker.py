"""A worker on Ray: an actor with a process of its own. Ray ends it when the driver is gone."""

from __future__ import annotations

import os
import queue
import shutil
import tempfile
import threading
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from evertune.task import Splits
from tune.carried import TrialFiles, unpack
from tune.channel import Message, broken
from tune.plan import Plan

Parcel = tuple[Message, dict[str, bytes]]
"""A message, and the files of its trial that the other end does not have."""

_PREFIX = "evertune-worker-"


class RayWorker:
    """The actor. `receive` is always pending at the driver, so that a death is noticed at once.

    Args:
        setup: `plan` as JSON, and `threads`.
        project: Of `carried.pack`.
        warm_weights: Content of the plan's archive, or None.
        splits: Mapped from the node's object store, read-only: one copy for all workers of a node.
    """

    def __init__(self, setup: dict[str, Any], project: bytes, warm_weights: bytes | None, splits: Splits) -> None:
        self._inbox: queue.Queue[Parcel] = queue.Queue()
        self._outbox: queue.Queue[Parcel] = queue.Queue()
        self._files: TrialFiles | None = None
        self._home = _home()
        self._outbox.put(({"type": "placed", "node": _node(), "pid": os.getpid()}, {}))
        work = threading.Thread(target=self._work, args=(setup, project, warm_weights, splits), daemon=True)
        work.start()

    def receive(self) -> Parcel:
        """Waits for the worker's next message."""
        return self._outbox.get()

    def deliver(self, message: Message, files: dict[str, bytes]) -> None:
        """Brings a trial with its files, or an answer."""
        self._inbox.put((message, files))

    def leave(self) -> None:
        """Removes what the worker wrote on its node, before it is ended."""
        shutil.rmtree(self._home, ignore_errors=True)

    def _work(self, setup: dict[str, Any], project: bytes, warm_weights: bytes | None, splits: Splits) -> None:
        try:
            plan = _settle(Plan.from_json(setup["plan"]), self._home, project, warm_weights)
            from tune.trial_runner import TrialRunner  # brings the framework

            runner = TrialRunner(plan, splits, setup["threads"], self._ask)
        except BaseException as error:
            self._outbox.put((broken(error), {}))
            return
        self._outbox.put(({"type": "ready"}, {}))
        try:
            while True:
                self._run(runner, plan)
        except BaseException:  # `SystemExit` of a task's code, say: as it would end a process
            traceback.print_exc()
            os._exit(1)

    def _run(self, runner: Any, plan: Plan) -> None:
        message, files = self._inbox.get()
        folder = plan.trial_folder(message["trial_id"])
        self._files = TrialFiles(folder)
        self._files.put(files)
        ended = runner.run(message)
        self._outbox.put((ended, self._files.changed()))
        shutil.rmtree(folder, ignore_errors=True)

    def _ask(self, message: Message) -> Message:
        assert self._files is not None
        self._outbox.put((message, self._files.changed()))
        return self._inbox.get()[0]


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _home() -> Path:
    """A folder of this worker's own. What workers of this node that were killed left behind goes."""
    for home in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        number = home.name.removeprefix(_PREFIX).partition("-")[0]
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            shutil.rmtree(home, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))


def _settle(plan: Plan, home: Path, project: bytes, warm_weights: bytes | None) -> Plan:
    """The plan with folders of this node in it; the working folder is the project's copy."""
    (home / "project").mkdir()
    unpack(project, home / "project")
    os.chdir(home / "project")
    weights = home / "warm.npz" if warm_weights is not None else None
    if weights is not None and warm_weights is not None:
        weights.write_bytes(warm_weights)
    return replace(plan, root=home / "project", folder=home / "study", warm_weights=weights)
