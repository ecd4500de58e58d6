"""What a drop-in tuner does after each epoch of `Model.fit`: keep the state, report, obey."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tune.seeding import seed_generators
from tune.weights import assign, fits, load_arrays, save_arrays, values_of

Report = Callable[[int, float], bool]
"""Given epochs trained and the objective, the larger the better; returns whether to go on."""


class TrialStoppedError(Exception):
    """A rung has ended the trial: nothing of its training follows."""


class EpochKeeper(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Keeps a trial's last epoch, with its optimizer, and the weights of its best epoch in one file.

    A trial that was killed, or stopped at a rung and taken up again, goes on after its last whole epoch, however many
    times its `fit` calls `Model.fit`. Dropout and the order of rows depend on seed and epoch alone where Keras allows.

    Args:
        path: Of the state.
        objective: `keras_tuner.Objective` that picks the best epoch; where the logs lack it, the last one is.
        seed: Of the trial.
        report: Asked after each epoch of the first execution that has the objective in its logs.
    """

    def __init__(self, path: Path, objective: Any, seed: str, report: Report) -> None:
        super().__init__()
        self.results: list[dict[str, float]] = []  # of executions that are done
        self._path, self._objective, self._seed, self._report = path, objective, seed, report
        self._logs: list[dict[str, float]] = []  # of this execution, an epoch each
        self._best: list[Any] = []
        self._best_value: float | None = None
        self._saved: dict[str, list[Any]] = {}
        self._to_skip, self._skipped = 0, 0
        self.stopped = False
        if path.exists():
            self._load()

    def begin(self) -> None:
        """A model of the next execution will be built: the same numbers are drawn at every start."""
        seed_generators(self._draw("build"))

    def finish(self, result: Mapping[str, float]) -> None:
        """An execution is done."""
        self.results.append({name: float(value) for name, value in result.items()})
        self._logs, self._to_skip = [], 0
        if self.model is not None:
            self._save()

    def write_weights(self, path: Path) -> None:
        """Writes the best epoch's weights as Keras does, whole or not at all; nothing where no epoch was reported."""
        if self.model is None or not assign(self.model.weights, self._best):
            return
        temporary = path.with_name(f"new.{path.name}")
        self.model.save_weights(temporary)
        os.replace(temporary, path)

    # --- called by Keras ------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        """Puts the state back where an earlier process, or an earlier run of the trial, left it."""
        if self.stopped:
            raise TrialStoppedError
        epochs = int(self.params["epochs"])
        self._skipped = min(self._to_skip, epochs)
        if 0 < self._to_skip <= epochs and not self._restore():
            self._logs, self._to_skip, self._skipped = [], 0, 0  # another model by now: it begins anew
        self._to_skip -= self._skipped
        if self._skipped:
            self.model._initial_epoch = epochs if self.stopped else self._skipped  # as `BackupAndRestore` does

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Seeds what the epoch draws."""
        seed_generators(self._draw(str(len(self._logs))))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keeps the epoch, then asks whether to go on.

        Raises:
            FloatingPointError: The training loss is not a finite number any more.
        """
        found = {name: float(value) for name, value in (logs or {}).items()}
        if not math.isfinite(found.get("loss", 0.0)):
            raise FloatingPointError(f"the training loss became {found['loss']} in epoch {len(self._logs) + 1}")
        self._logs.append(found)
        self._keep_best(found)
        self._save()
        self._ask()

    def on_train_end(self, logs: Any = None) -> None:
        """Completes the history with the epochs of earlier processes."""
        if self._skipped:
            self.model._initial_epoch = None
            history = self.model.history
            before = self._logs[len(self._logs) - len(history.epoch) - self._skipped :][: self._skipped]
            for name in before[0]:
                history.history[name] = [each[name] for each in before if name in each] + history.history.get(name, [])
            history.epoch = [*range(self._skipped), *history.epoch]

    # --- inside ---------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        last = self._logs[-1]
        if self.results or not self._objective.has_value(last):
            return
        value = float(self._objective.get_value(last))
        if not self._report(len(self._logs), value if self._objective.direction == "max" else -value):
            self.stopped = self.model.stop_training = True

    def _keep_best(self, logs: Mapping[str, float]) -> None:
        value = self._objective.get_value(logs) if self._objective.has_value(logs) else None
        if value is None or self._best_value is None or self._objective.better_than(value, self._best_value):
            self._best, self._best_value = values_of(self.model.weights), value

    def _save(self) -> None:
        known = {"results": self.results, "logs": self._logs, "best": self._best_value}
        save_arrays(
            self._path,
            model=values_of(self.model.variables),
            optimizer=values_of(self.model.optimizer.variables),
            best=self._best,
            known=[np.frombuffer(json.dumps(known).encode(), np.uint8)],
        )

    def _load(self) -> None:
        self._saved = load_arrays(self._path)
        known = json.loads(self._saved["known"][0].tobytes())
        self.results, self._logs, self._best_value = known["results"], known["logs"], known["best"]
        self._best, self._to_skip = self._saved["best"], len(self._logs)

    def _restore(self) -> bool:
        optimizer = self.model.optimizer
        optimizer.build(self.model.trainable_variables)
        groups = (
            (self.model.variables, self._saved.get("model", [])),
            (optimizer.variables, self._saved.get("optimizer", [])),
        )
        if not all(fits(variables, values) for variables, values in groups):
            return False
        for variables, values in groups:
            assign(variables, values)
        self._ask()  # the answer may have been lost with the process
        return True

    def _draw(self, what: str) -> int:
        return zlib.crc32(f"{self._seed}/{len(self.results)}/{what}".encode())
