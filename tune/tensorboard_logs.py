"""TensorBoard logs of a study: one run a trial, for any framework, without TensorFlow."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evertune.files import write_atomic
from tune.standing import Standing, TrialStanding

FOLDER = "tensorboard"
_FILE = "events.out.tfevents.evertune"  # TensorBoard looks for the middle of the name
_METRIC = "val_accuracy"


class TensorBoardLogs:
    """Writes `tensorboard/trial-N/` in a study's folder: accuracy by epoch, hyperparameters, final figures.

    A trial's file follows from the journal alone, times included. So nothing is duplicated by a search that was killed
    and resumed: what the file lacks is appended, and a file that differs is replaced.

    Args:
        folder: Of the study.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._known: set[str] = set()

    def sync(self, trial: TrialStanding) -> None:
        """See `tune.tracking.Tracker`."""
        self._known.add(_run(trial.trial_id))
        path = self._folder / _run(trial.trial_id) / _FILE
        content = encode(trial)
        present = path.read_bytes() if path.exists() else None
        if present is not None and content.startswith(present):  # a TensorBoard that reads it goes on where it was
            with path.open("ab") as file:
                file.write(content[len(present) :])
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
        path.chmod(0o644)

    def finish(self, standing: Standing) -> None:
        """Deletes runs of another study that lay in the same folder before."""
        for path in self._folder.glob("trial-*"):
            if path.name not in self._known:
                shutil.rmtree(path, ignore_errors=True)

    def notices(self) -> list[str]:
        """None."""
        return []


def encode(trial: TrialStanding) -> bytes:
    """A whole event file. Each part of it that was written once stays as it is when the trial goes on."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    writer = RecordWriter(buffer)

    def write(at: float, **content: Any) -> None:
        writer.write(Event(wall_time=at, **content).SerializeToString())

    def scalar(at: float, step: int, tag: str, value: float | None) -> None:
        if value is not None:
            write(at, step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))

    write(trial.started_at, file_version="brain.Event:2")
    write(trial.started_at, summary=_started(trial))
    for epoch, (at, accuracy) in sorted(trial.epochs.items()):
        scalar(at, epoch, _METRIC, accuracy)
    if trial.record is not None and trial.ended_at is not None:
        record = trial.record
        for tag in ("score", "latency_seconds", "size_bytes", "seconds"):
            scalar(trial.ended_at, record.epochs, tag, getattr(record, tag))
        for tag, value in record.metrics.items():
            scalar(trial.ended_at, record.epochs, tag, value)
        write(trial.ended_at, summary=_ended(record.state, trial.ended_at))
    return buffer.getvalue()


def _started(trial: TrialStanding) -> Any:
    from tensorboard.plugins.hparams import summary_v2
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    values = _plain(trial.hyperparameters)
    summary = summary_v2.hparams_pb(values, trial_id=trial.trial_id, start_time_secs=trial.started_at)
    plugin = summary.value[0].metadata.plugin_data
    plugin.content = HParamsPluginData.FromString(plugin.content).SerializeToString(deterministic=True)
    return summary


def _ended(state: str, at: float) -> Any:
    """The dashboard of hyperparameters knows success and failure."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

    status = STATUS_FAILURE if state == "failed" else STATUS_SUCCESS
    data = HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=at))
    tag, tensor = metadata.SESSION_END_INFO_TAG, metadata.NULL_TENSOR
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(data), tensor=tensor)])


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, bool | int | float | str) else str(value) for name, value in values.items()
    }


def _run(trial_id: str) -> str:
    return f"trial-{trial_id}"
