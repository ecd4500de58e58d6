"""Kills at random moments: `python -m benchmarks._faults.campaign FOLDER KILLS SEED [ADDRESS CLUSTER_PID]`.

This process imports the frameworks once and forks a driver a kill, so that only workers pay for their start. Its last
line is JSON: what was seen.
"""

from __future__ import annotations

import json
import os

os.environ["KERAS_BACKEND"] = "torch"

import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

import tune.oracle
import tune.retention
import tune.tuner  # before the fork
from evertune.settings import ExportSettings, LimitSettings, TuneSettings
from evertune.task import LabelledWindow
from tune import Event, search
from tune.events import TrialFinished, TrialPaused, TrialPruned, TrialStarted
from tune.journal import read_entries

_EPOCHS = 4
_WORKERS = 2
_MOST_SECONDS = 5.0  # after the event from which a moment is counted: longer than most trials take
_PATIENCE_SECONDS = 240.0  # then it hangs
_GONE_SECONDS = 60.0  # for the workers of a driver that is gone
_ENDLESS = 1_000


class Campaign:
    """One study, and what is done to it.

    Args:
        folder: For project, study and notes.
        seed: Of the moments.
        address: Of a Ray cluster; empty for processes.
        cluster_pid: Of the process that holds the cluster.
    """

    def __init__(self, folder: Path, seed: int, address: str = "", cluster_pid: int = 0) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._address = address
        self._cluster_pid = cluster_pid
        self._study = folder / "state" / "studies" / "main"
        self._told = folder / "told.jsonl"
        self.driver_kills: list[list[str]] = []  # trials in work
        self.worker_kills = 0
        self.hung: list[str] = []
        self._told.touch()
        shutil.copy(Path(__file__).with_name("task.py"), folder / "task.py")

    def kill_drivers(self, count: int) -> None:
        """Each driver goes on with the study that the one before left."""
        for number in range(count):
            before = len(self.told())
            driver = self._fork(_ENDLESS)
            if number % 4:  # the others die while they start
                self._wait(lambda before=before: len(self.told()) > before, "a driver started no trial")  # type: ignore[misc]
            time.sleep(self._random.uniform(0, _MOST_SECONDS))
            workers = self._workers(driver)
            os.kill(driver, signal.SIGKILL)
            os.waitpid(driver, 0)
            self.driver_kills.append(in_work(self.told()[before:]))
            self._wait(lambda workers=workers: not any(map(_lives, workers)), "workers stayed", _GONE_SECONDS)  # type: ignore[misc]

    def kill_workers(self, count: int) -> None:
        """Under one driver, each after a trial was handed out.

        A trial that lost two workers is left to its end: with the third it fails, as it should.
        """
        driver = self._fork(_ENDLESS)
        while self.worker_kills < count and not self.hung:
            before = len(self._started())
            self._wait(lambda before=before: len(self._started()) > before, "no trial was handed out")  # type: ignore[misc]
            time.sleep(self._random.uniform(0, _MOST_SECONDS))
            workers = [each for each in self._workers(driver) if _lives(each)]
            if workers and not self._spent():
                self._random.choice(workers).kill()
                self.worker_kills += 1
        os.kill(driver, signal.SIGKILL)
        os.waitpid(driver, 0)
        self.driver_kills.append(in_work(self.told()))

    def finish(self) -> None:
        """A last driver ends what was begun."""
        driver = self._fork(1)
        statuses: list[int] = []

        def is_over() -> bool:
            pid, status = os.waitpid(driver, os.WNOHANG)
            statuses.extend([status] if pid else [])
            return bool(pid)

        self._wait(is_over, "the last driver did not end")
        self.hung += ["the last driver failed"] if any(statuses) else []

    def told(self) -> list[dict[str, Any]]:
        """What drivers were told, in order; a torn line is left out."""
        lines = self._told.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def _started(self) -> list[dict[str, Any]]:
        return [each for each in self.told() if each["type"] == "TrialStarted"]

    def ended(self) -> list[str]:
        """Trials of whose end a driver was told."""
        return [each["trial_id"] for each in self.told() if each["type"] in ("TrialFinished", "TrialPruned")]

    def _spent(self) -> bool:
        """Some trial may lose no worker more."""
        entries = read_entries(self._study / "journal.jsonl")[0]
        lost = Counter(entry["trial_id"] for entry in entries if entry["event"] == "lost")
        ended = {entry["record"]["trial_id"] for entry in entries if entry["event"] == "ended"}
        return any(count > 1 and trial_id not in ended for trial_id, count in lost.items())

    def _fork(self, max_trials: int) -> int:
        driver = os.fork()
        if driver == 0:
            try:
                self._drive(max_trials)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        return driver

    def _drive(self, max_trials: int) -> None:
        tune.retention._WAITING = _ENDLESS  # all checkpoints stay: what is trained twice, kills are to blame for
        where = {"executor": "ray", "ray_address": self._address} if self._address else {}
        search(
            "task.py:Counted",
            project_root=self._folder,
            window=LabelledWindow(),
            folder=self._study,
            settings=TuneSettings.model_validate(
                {"max_trials": max_trials, "max_epochs": _EPOCHS, "workers": _WORKERS, "threads": 1, **where}
            ),
            limits=LimitSettings(latency_seconds=1.0),
            export=ExportSettings(),
            progress=self._note,
        )

    def _note(self, event: Event) -> None:
        if isinstance(event, TrialStarted | TrialPaused | TrialFinished | TrialPruned):
            with self._told.open("a") as file:
                file.write(json.dumps({"type": type(event).__name__, "trial_id": event.trial_id}) + "\n")

    def _workers(self, driver: int) -> list[psutil.Process]:
        if not self._address:
            return list(psutil.Process(driver).children())
        family = psutil.Process(self._cluster_pid).children(recursive=True)
        return [each for each in family if _lives(each) and "".join(each.cmdline()).startswith("ray::RayWorker")]

    def _wait(self, condition: Callable[[], bool], otherwise: str, seconds: float = _PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                self.hung.append(otherwise)
                return
            time.sleep(0.02)


def in_work(told: list[dict[str, Any]]) -> list[str]:
    """Trials that were handed out, and neither paused nor ended since."""
    last = {each["trial_id"]: each["type"] for each in told}
    return [trial_id for trial_id, event in last.items() if event == "TrialStarted"]


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def main() -> None:
    """Runs a campaign."""
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    campaign = Campaign(folder, seed, *([sys.argv[4], int(sys.argv[5])] if len(sys.argv) > 4 else []))  # type: ignore[arg-type]
    campaign.kill_drivers(kills)
    campaign.kill_workers(kills)
    campaign.finish()
    names = ("driver_kills", "worker_kills", "hung")  # the first: what was in work
    print(json.dumps({**{name: getattr(campaign, name) for name in names}, "told_ended": campaign.ended()}))


if __name__ == "__main__":
    main()
