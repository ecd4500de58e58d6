"""Latencies of the finalists, measured while nothing else of the search runs."""

from __future__ import annotations

from collections.abc import Iterable

from evertune.runtime import Session
from evertune.task import Splits, Task
from export.measure import measure_latency
from export.target import target_named
from tune.execution import ARTIFACT
from tune.plan import Plan

_ROUNDS, _LOADS = 50, 10  # as in a full export


def measure_alone(plan: Plan, task: Task, splits: Splits, finals: Iterable[str]) -> dict[str, float]:
    """Seconds of one batch of `limits.batch_rows`, by trial, in interleaved rounds over several loads of each.

    Args:
        plan: Of the search.
        task: Declares inputs.
        splits: Calibration rows are run.
        finals: Trainings with fresh seeds; of each trial the artifact of the first that is on disk.

    Returns:
        Without those that left no artifact.
    """
    artifacts: dict[str, bytes] = {}
    for training in finals:
        trial_id, path = training.partition(".")[0], plan.trial_folder(training) / ARTIFACT
        if trial_id not in artifacts and path.exists():
            artifacts[trial_id] = path.read_bytes()
    if not artifacts:
        return {}

    def load(trial_id: str) -> Session:
        providers = target_named(plan.export.target).providers
        return Session(artifacts[trial_id], task.signature, threads=plan.export.threads, providers=providers)

    batch = plan.limits.batch_rows
    times = measure_latency(
        {trial_id: load(trial_id) for trial_id in artifacts},
        splits.calibration.inputs,
        baseline=next(iter(artifacts)),
        rounds=_ROUNDS,
        batches=(batch,),
        load=load,
        loads=_LOADS,
    )
    return {trial_id: times.seconds[trial_id][batch] for trial_id in artifacts}
