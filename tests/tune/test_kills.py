"""`kill -9` of drivers and workers, at several moments of one real search."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from tune import Study, load_study
from tune.journal import read_entries

_PATIENCE_SECONDS = 170.0


def run(root: Path, folder: Path, *more: str) -> str:
    command = [sys.executable, str(Path(__file__).with_name("killed_search.py")), str(root), str(folder), *more]
    script = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, err = script.communicate(timeout=_PATIENCE_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(script.pid, signal.SIGKILL)
    assert script.returncode == 0, err
    return out


def workers_of(folder: Path) -> list[int]:
    """Processes whose output goes to the study's logs."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(file.path.startswith(str(folder)) for file in process.open_files()):
                found.append(process.pid)
    return found


def check_whole(folder: Path) -> tuple[Study, list[dict[str, Any]]]:
    """No trial of the study is lost, none was run twice, none began anew; nothing stays behind."""
    entries = read_entries(folder / "journal.jsonl")[0]

    started = [entry["trial_id"] for entry in entries if entry["event"] == "started"]
    ended = [entry["record"]["trial_id"] for entry in entries if entry["event"] == "ended"]
    assert started == [str(number) for number in range(len(started))]
    assert sorted(ended) == started
    study = load_study(folder)
    counted = [record for record in study.trials if record.state != "rejected"]
    assert len(counted) == 4
    assert {record.state for record in counted} <= {"completed", "pruned"}
    values = [json.dumps(record.hyperparameters, sort_keys=True) for record in study.trials]
    assert len(set(values)) == len(values)

    # A driver's death left trials half done; each went on where its checkpoint was, not from its first epoch.
    epochs = defaultdict(list)
    for entry in entries:
        if entry["event"] == "epoch":
            epochs[entry["trial_id"]].append(entry["epoch"])
    for trial in epochs.values():
        assert trial[0] == 1
        assert all(later - earlier in (0, 1) for earlier, later in pairwise(trial)), trial
    assert any(len(set(trial)) < len(trial) for trial in epochs.values())  # an epoch was reported again

    assert workers_of(folder) == []
    assert {path.name for path in folder.glob("trials/*/*")} == {
        "weights.npz",
        "losses.npz",
    }  # nothing half written stays
    assert study.best().trial.score is not None
    return study, entries


def test_however_often_it_is_killed_no_trial_is_lost_none_comes_twice_and_no_worker_stays(
    root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    told = json.loads(run(root, folder).splitlines()[-1])
    _, entries = check_whole(folder)

    # Workers that were killed under the last driver: their trials came again, under the same ids.
    lost = [trial_id for trial_id in told["lost"] if trial_id is not None]
    assert lost
    assert sorted(lost) == sorted(entry["trial_id"] for entry in entries if entry["event"] == "lost")
    assert all(told["attempts"][trial_id] == 2 for trial_id in lost)
