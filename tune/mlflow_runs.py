"""A study as MLflow runs, where MLflow is installed: one run a trial, below the study's own."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tune.journal import read_entries
from tune.standing import Standing, TrialStanding
from tune.study import JOURNAL

_RETRY_SECONDS = 30.0  # between two tries to reach a server that is away
_PATIENCE_SECONDS = 30.0  # at the end of a search, for what is still to be sent
_PARAMS_A_CALL = 100  # MLflow takes no more
_LONGEST = 5000  # letters of a tag
_SAID = 160  # letters of a failure
_STUDY, _TRIAL = "evertune.study", "evertune.trial"
_STATUS = {"completed": "FINISHED", "failed": "FAILED"}  # of others: KILLED, which is what happened to them
# MLflow's own defaults try a server that is away for minutes, and tell mlflow.org of the use.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class MlflowRuns:
    """Sends trials to a tracking server or store, in a thread of its own: no trial ever waits for it.

    What cannot be sent is tried again; it is told once. A resumed search finds its runs by their tags and goes on with
    them, and sends no epoch twice.

    Args:
        folder: Of the study.
        uri: As `mlflow.set_tracking_uri` takes it.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        self._folder, self._uri = folder, uri
        self._runs: _Runs | None = None
        self._pending: dict[str, TrialStanding] = {}
        self._standing: Standing | None = None  # of the end
        self._notices: list[str] = []
        self._failed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def sync(self, trial: TrialStanding) -> None:
        """See `tune.tracking.Tracker`."""
        with self._changed:
            self._pending[trial.trial_id] = replace(trial, epochs=dict(trial.epochs))  # ours goes on changing
            self._changed.notify()

    def finish(self, standing: Standing) -> None:
        """Waits a while for what is still to be sent."""
        with self._changed:
            self._standing = standing
            self._changed.notify()
        self._thread.join(_PATIENCE_SECONDS)
        if self._thread.is_alive():
            self._warn("it is slow")

    def notices(self) -> list[str]:
        """The first failure."""
        told, self._notices = self._notices, []
        return told

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._standing is not None)
                trials, self._pending = self._pending, {}
                end = self._standing
            try:
                self._send(trials, end)
            except ImportError:
                self._warn("it is not installed, or not whole: pip install 'evertune[mlflow]'")
            except Exception as error:  # whatever a store, a network or a version of MLflow may raise
                self._warn(f"{type(error).__name__}: {_without_password(str(error))[:_SAID]}")
            else:
                trials = {}
            if end is not None:
                return
            if trials:
                with self._changed:
                    self._pending = {**trials, **self._pending}
                    self._changed.wait_for(lambda: self._standing is not None, timeout=_RETRY_SECONDS)

    def _send(self, trials: Mapping[str, TrialStanding], end: Standing | None) -> None:
        if self._runs is None:
            self._runs = _Runs(self._folder, self._uri)
        for trial in trials.values():
            self._runs.send(trial)
        if end is not None:
            self._runs.close(end)

    def _warn(self, reason: str) -> None:
        if not self._failed:
            self._failed = True
            self._notices.append(
                f"MLflow at {_without_password(self._uri)} was not reached: {reason}. The search goes on; what is "
                "missing there is sent when it can be, at the latest when `evertune tune` is called again."
            )


class _Runs:
    """The runs of one study, new or found."""

    def __init__(self, folder: Path, uri: str) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient

        header = read_entries(folder / JOURNAL)[0][0]
        self._client = MlflowClient(uri)
        self._study = hashlib.sha256(repr(header).encode()).hexdigest()[:16]
        self._experiment = self._experiment_id(header["fingerprint"]["task"])
        self._ids = self._found()
        self._known: dict[str, set[int]] = {}  # epochs that were sent, by run
        self._done: set[str] = set()
        self._parent = self._ids.get("") or self._create("", folder.name, {}, header.get("at", time.time()))
        self._client.update_run(self._parent, status="RUNNING")

    def send(self, trial: TrialStanding) -> None:
        """All of a trial that is not there yet."""
        run = self._ids.get(trial.trial_id)
        if run is None:
            tags = {"mlflow.parentRunId": self._parent, "evertune.origin": trial.origin}
            run = self._create(trial.trial_id, f"trial {trial.trial_id}", tags, trial.started_at)
            self._known[run] = set()
        if run in self._done:
            return
        if run not in self._known:
            self._known[run] = {each.step for each in self._client.get_metric_history(run, "val_accuracy")}
        self._send_epochs(run, trial)
        if trial.ended_at is not None:
            self._end(run, trial)
            self._done.add(run)

    def close(self, standing: Standing) -> None:
        """Ends the study's run with the best trial's figures."""
        for record in standing.best(1):
            self._client.set_tag(self._parent, "evertune.best_trial", record.trial_id)
            self._client.log_metric(self._parent, "score", record.score or 0.0, step=len(standing.ended))
        self._client.set_terminated(self._parent, "FINISHED" if standing.finished else "KILLED")

    def _send_epochs(self, run: str, trial: TrialStanding) -> None:
        from mlflow.entities import Metric, Param

        missing = {step: each for step, each in trial.epochs.items() if step not in self._known[run]}
        metrics = [
            Metric("val_accuracy", value, int(at * 1e3), step)
            for step, (at, value) in missing.items()
            if value is not None
        ]
        params = [Param(_key(name), str(value)) for name, value in trial.hyperparameters.items()]
        self._client.log_batch(run, metrics=metrics, params=params[:_PARAMS_A_CALL])
        for start in range(_PARAMS_A_CALL, len(params), _PARAMS_A_CALL):
            self._client.log_batch(run, params=params[start : start + _PARAMS_A_CALL])
        self._known[run] |= set(missing)

    def _end(self, run: str, trial: TrialStanding) -> None:
        from mlflow.entities import Metric, RunTag

        assert trial.record is not None  # it has ended
        assert trial.ended_at is not None
        record, at = trial.record, int(trial.ended_at * 1e3)
        figures = {name: getattr(record, name) for name in ("score", "latency_seconds", "size_bytes", "seconds")}
        metrics = [
            Metric(name, float(value), at, record.epochs)
            for name, value in {**figures, **record.metrics}.items()
            if value is not None and not self._client.get_metric_history(run, name)
        ]
        tags = {"evertune.state": record.state, "evertune.recipe": record.recipe, "evertune.error": record.error}
        given = [RunTag(name, value[-_LONGEST:]) for name, value in tags.items() if value]
        self._client.log_batch(run, metrics=metrics, tags=given)
        self._client.set_terminated(run, _STATUS.get(record.state, "KILLED"), end_time=at)

    def _create(self, trial_id: str, name: str, tags: Mapping[str, str], at: float) -> str:
        tags = {_STUDY: self._study, _TRIAL: trial_id or "none", **tags}
        run = self._client.create_run(self._experiment, start_time=int(at * 1e3), tags=tags, run_name=name)
        self._ids[trial_id] = str(run.info.run_id)
        return self._ids[trial_id]

    def _experiment_id(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(self._client.create_experiment(name) if found is None else found.experiment_id)

    def _found(self) -> dict[str, str]:
        """Run ids by trial id; the study's own under the empty one."""
        runs: dict[str, str] = {}
        token: str | None = None
        while True:
            wanted = f"tags.`{_STUDY}` = '{self._study}'"
            page = self._client.search_runs([self._experiment], wanted, max_results=1000, page_token=token)
            for run in page:
                trial = run.data.tags[_TRIAL]
                runs["" if trial == "none" else trial] = run.info.run_id
            token = page.token
            if not token:
                return runs


def _key(name: str) -> str:
    """A name as MLflow allows it."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def _without_password(uri: str) -> str:
    return re.sub(r"//[^/@]*@", "//", uri)
