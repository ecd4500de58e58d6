"""The tuner for scripts that were written for KerasTuner."""

from __future__ import annotations

import math
import os
import shutil
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner import errors
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src.engine import tuner_utils  # not public: what `keras_tuner.Tuner.run_trial` itself is made of

from evertune.errors import SearchError
from tune.epoch_keeper import EpochKeeper, TrialStoppedError
from tune.exploration import explore, few_rows
from tune.folder_lock import locked
from tune.journal import Journal
from tune.oracle import StudyOracle
from tune.outcome import RUNG
from tune.rungs import Rungs
from tune.study import JOURNAL

_TRIALS = 10  # KerasTuner's number, where nothing else is said
_HYPERBAND_FACTOR = 3  # KerasTuner's, likewise
_WAITING = 10  # trials that a rung has paused, whose state is kept; another is trained again where its turn comes
_STATE = "state.npz"
_EXPLORATION = "exploration"  # the id of what is no trial


class Tuner(keras_tuner.Tuner):  # type: ignore[misc]  # KerasTuner has no types
    """Takes the place of `keras_tuner.RandomSearch`, `BayesianOptimization` and `Hyperband`: only the name changes.

    Inside are `StudyOracle`'s samplers, journal and rungs. Trials run in this process, one after the other. A script
    that was killed goes on after its last whole epoch when it is started again; a trial that ends the process three
    times in the same epoch fails.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function of `hp` that returns a Keras model.
        objective: Name, `keras_tuner.Objective`, or a list of them, of which the first ranks trials and none are added
            up. None: what `fit` or `run_trial` returns, the smaller the better.
        max_trials: 10; with `max_epochs`, as many as Hyperband would begin.
        max_epochs: Of a trial; None takes `epochs` of `search`.
        factor: One of so many trials goes on at a rung; None leaves that to `Rungs`.
        hyperband_iterations: Multiplies the number of trials of `max_epochs`.
        num_initial_points: Taken and not used, with a warning; `alpha` and `beta` likewise.
        alpha: See there.
        beta: See there.
        seed: Of sampler and trainings; None is 0.
        hyperparameters: As KerasTuner's; `tune_new_entries` and `allow_new_entries` likewise.
        tune_new_entries: See there.
        allow_new_entries: See there.
        max_retries_per_trial: So often a trial that raised is run again, from its beginning.
        max_consecutive_failed_trials: So many end the search with an error; None: no number does.
        kept_models: Whose weights stay on disk: so many of the best, and the Pareto set.
        oracle: Instead of all of the above but `hypermodel` and `kept_models`: a `StudyOracle`.
        directory: As KerasTuner's; `project_name` and `overwrite` likewise.
        project_name: See there.
        overwrite: See there.
        **kwargs: Of `keras_tuner.Tuner`: `optimizer`, `loss`, `metrics`, `executions_per_trial`, `max_model_size`,
            `distribution_strategy`, `logger`, `tuner_id`.

    Raises:
        SearchError: The folder holds a search for another objective, another process searches in it, or KerasTuner's
            distribution is asked for.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        *,
        max_trials: int | None = None,
        max_epochs: int | None = None,
        factor: int | None = None,
        hyperband_iterations: float = 1,
        num_initial_points: int | None = None,
        alpha: float | None = None,
        beta: float | None = None,
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int | None = None,
        kept_models: int = _TRIALS,
        oracle: StudyOracle | None = None,
        directory: str | os.PathLike[str] | None = None,
        project_name: str | None = None,
        overwrite: bool = False,
        **kwargs: Any,
    ) -> None:
        _refuse(hypermodel, oracle)
        if hypermodel is None and type(self).run_trial is Tuner.run_trial:
            raise SearchError("there is neither a hypermodel nor a run_trial", fix="Give one, or override run_trial.")
        _warn_of_unused(num_initial_points=num_initial_points, alpha=alpha, beta=beta)
        self._max_epochs = max_epochs
        self._most_failures = max_consecutive_failed_trials
        self._kept_models = kept_models
        self._exploring = False
        one_in = Rungs.factor if factor is None else factor
        self._rungs = None if oracle is not None else Rungs(max_epochs or sys.maxsize, factor=one_in)
        project = Path(directory or ".") / (project_name or "untitled_project")
        if overwrite and project.exists():
            shutil.rmtree(project)
        with locked(project):
            if oracle is None:
                oracle = StudyOracle(
                    objective,
                    max_trials or _hyperband_trials(max_epochs, factor or _HYPERBAND_FACTOR, hyperband_iterations),
                    hyperparameters,
                    seed=seed or 0,
                    rungs=self._rungs,
                    journal=_journal(project, objective),
                    tune_new_entries=tune_new_entries,
                    allow_new_entries=allow_new_entries,
                    max_retries_per_trial=max_retries_per_trial,
                )
            super().__init__(oracle, hypermodel, directory=str(directory or "."), project_name=project_name, **kwargs)

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """As KerasTuner's: arguments are those of `Model.fit`, or of your own `fit` or `run_trial`.

        Raises:
            SearchError: No trial completed, so many failed in a row, or another process searches in the folder.
            keras_tuner.errors.FatalError: Raised by your code, to end the search. The trial is recorded.
        """
        if self._max_epochs is not None:
            fit_kwargs["epochs"] = self._max_epochs
        elif self._rungs is not None:
            self._rungs.max_epochs = int(fit_kwargs.get("epochs", 1))
        with locked(Path(self.project_dir)):
            self._explore_fit(fit_args, fit_kwargs)
            self.oracle.lose_interrupted()
            super().search(*fit_args, **fit_kwargs)
            self._tidy()
        if not self.oracle.get_best_trials():
            raise SearchError(
                f"no trial completed; the last: {_last_line(self._last_error())}", fix="Correct the hypermodel."
            )

    # --- one trial ------------------------------------------------------------------------------------------------

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> Any:
        """Builds and fits the model, from the trial's last whole epoch where there is one.

        Returns:
            What `fit` returned, one for each execution.

        Raises:
            TrialStoppedError: At a rung.
            Exception: Whatever `build` or `fit` raises.
        """
        if self._exploring:
            return self._build_and_fit_model(trial, *fit_args, **fit_kwargs)
        keeper = self._keeper(trial)
        callbacks = fit_kwargs.pop("callbacks", None) or []
        results: list[Any] = list(keeper.results)
        for execution in range(len(results), self.executions_per_trial):
            keeper.begin()
            own = self._deepcopy_callbacks(callbacks)
            self._configure_tensorboard_dir(own, trial, execution)
            own = [*own, tuner_utils.TunerCallback(self, trial), keeper]
            result = self._build_and_fit_model(trial, *fit_args, **fit_kwargs, callbacks=own)
            if keeper.stopped:
                raise TrialStoppedError
            results.append(result)
            keeper.finish(tuner_utils.convert_to_metrics_dict(result, self.oracle.objective))
        keeper.write_weights(Path(self._get_checkpoint_fname(trial.trial_id)))
        return results

    def _keeper(self, trial: Trial) -> EpochKeeper:
        def report(epoch: int, value: float) -> bool:
            return bool(self.oracle.update_trial(trial.trial_id, {RUNG: value}, epoch).status != TrialStatus.STOPPED)

        path = Path(self.get_trial_dir(trial.trial_id)) / _STATE
        return EpochKeeper(path, self.oracle.objective, f"{self.oracle.seed}/{trial.trial_id}", report)

    def _try_run_and_update_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> None:
        for attempt in range(self.oracle.max_retries_per_trial + 1):
            if attempt:
                shutil.rmtree(self.get_trial_dir(trial.trial_id))
            try:
                self._run_and_update_trial(trial, *fit_args, **dict(fit_kwargs))
                trial.status = TrialStatus.COMPLETED
                return
            except TrialStoppedError:
                trial.status = TrialStatus.STOPPED
                return
            except Exception as error:  # a trial may fail in any way; the search goes on
                trial.status, trial.message = TrialStatus.FAILED, traceback.format_exc()
                if isinstance(error, errors.FatalError):
                    self.on_trial_end(trial)
                    raise
                if isinstance(error, errors.FailedTrialError):  # which asks for no second attempt
                    return

    # --- KerasTuner's hooks -----------------------------------------------------------------------------------------

    def on_trial_begin(self, trial: Trial) -> None:
        """Prints what is tried, unless `search` was called with `verbose=0`."""
        self.oracle._display.on_trial_begin(trial)

    def on_trial_end(self, trial: Trial) -> None:
        """Writes the outcome down, and deletes what needs no keeping."""
        self.oracle.end_trial(trial)
        record = self.oracle.records.get(trial.trial_id)
        self._tidy()
        if trial.trial_id in self.oracle._display.trial_start and self.oracle.verbose:
            if record is None:
                print(f"Trial {trial.trial_id} waits: others were better after as many epochs")
            elif record.error:
                print(f"Trial {trial.trial_id} failed: {_last_line(record.error)}")
            self.oracle._display.on_trial_end(trial)
        self._check_failures()

    def load_model(self, trial: Trial) -> Any:
        """The model of a trial, with the weights of its best epoch.

        Raises:
            SearchError: They were not kept, or its `fit` or `run_trial` left the tuner's callbacks out.
        """
        if not Path(self._get_checkpoint_fname(trial.trial_id)).exists():
            raise SearchError(
                f"there are no weights of trial {trial.trial_id}",
                fix=f"Ask for at most kept_models = {self._kept_models}, and hand `callbacks` on to Model.fit.",
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer", UserWarning)  # not needed
            return super().load_model(trial)

    def get_trial_dir(self, trial_id: str) -> str:
        """Not where KerasTuner has it: an older search of its own, in the same folder, stays as it is."""
        folder = Path(self.project_dir) / "trials" / trial_id
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def save(self) -> None:
        """Nothing to do: the journal is on disk."""

    def reload(self) -> None:
        """Reads the journal, unless that was done before."""
        self.oracle.reload()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _get_tuner_fname(self) -> str:
        return str(Path(self.project_dir) / "no state but the journal")  # so that the space is always explored

    def _override_compile_args(self, model: Any) -> None:
        """Also of a model that is not compiled yet: there KerasTuner's asks for an optimizer that is not there."""
        if not model.compiled and (self.optimizer or self.loss or self.metrics):
            model.compile()
        super()._override_compile_args(model)

    def _configure_tensorboard_dir(self, callbacks: list[Any], trial: Trial, execution: int = 0) -> None:
        """A folder of its own for each trial's TensorBoard; KerasTuner's imports a plugin that may be missing."""
        for callback in callbacks:
            if type(callback).__name__ == "TensorBoard":
                callback.log_dir = self._get_tensorboard_dir(callback.log_dir, trial.trial_id, execution)

    def _explore_fit(self, fit_args: Sequence[Any], fit_kwargs: dict[str, Any]) -> None:
        own_run = type(self).run_trial is not Tuner.run_trial
        own_fit = self.hypermodel is not None and type(self.hypermodel).fit is not keras_tuner.HyperModel.fit
        few = few_rows(fit_args, fit_kwargs)
        if few is None or not (own_run or own_fit) or self.oracle.remaining_trials() == 0:
            return
        self._exploring = True
        try:
            explore(self.oracle, lambda hp: self.run_trial(Trial(hp, _EXPLORATION), *few[0], **few[1]))
        finally:
            self._exploring = False
            shutil.rmtree(self.get_trial_dir(_EXPLORATION))

    def _tidy(self) -> None:
        kept = [*self.oracle.get_best_trials(self._kept_models), *self.oracle.get_pareto_trials()]
        names = {trial.trial_id for trial in kept}
        for trial_id in self.oracle.records:
            folder = Path(self.project_dir) / "trials" / trial_id
            if trial_id not in names:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                (folder / _STATE).unlink(missing_ok=True)
        waiting = [
            trial
            for trial in self.oracle.trials.values()
            if trial.status == TrialStatus.STOPPED and trial.trial_id not in self.oracle.records
        ]
        waiting.sort(key=lambda trial: trial.metrics.get_best_value(RUNG), reverse=True)
        for trial in waiting[_WAITING:]:
            shutil.rmtree(Path(self.project_dir) / "trials" / trial.trial_id, ignore_errors=True)

    def _check_failures(self) -> None:
        last = list(self.oracle.records.values())[-(self._most_failures or 0) :]
        if self._most_failures and len(last) == self._most_failures and all(each.state == "failed" for each in last):
            raise SearchError(
                f"{self._most_failures} trials in a row failed; the last: {_last_line(last[-1].error)}",
                fix="Correct the hypermodel, or leave max_consecutive_failed_trials out.",
            )

    def _last_error(self) -> str | None:
        found = [record.error for record in self.oracle.records.values() if record.error]
        return found[-1] if found else None


def _refuse(hypermodel: Any, oracle: Any) -> None:
    if isinstance(hypermodel, keras_tuner.Oracle) or not isinstance(oracle, StudyOracle | None):
        raise SearchError(
            f"{type(oracle or hypermodel).__name__} is not the oracle of this tuner",
            fix="Leave it out, or give oracle=tune.StudyOracle(...) by name.",
        )
    if "KERASTUNER_ORACLE_IP" in os.environ:
        raise SearchError(
            "KERASTUNER_ORACLE_IP asks for KerasTuner's own distribution, which this tuner does not use",
            fix="Unset it; `evertune tune` searches with several workers.",
        )


def _warn_of_unused(**given: Any) -> None:
    unused = [name for name, value in given.items() if value is not None]
    if unused:
        warnings.warn(f"{', '.join(unused)}: of KerasTuner's Gaussian process, and without effect here", stacklevel=3)


def _objectives(objective: Any) -> list[Any]:
    """KerasTuner's meaning of None: what a trial returns, to be minimized."""
    listed = list(objective) if isinstance(objective, list | tuple) else [objective]
    return [keras_tuner.Oracle(each).objective for each in listed]


def _journal(project: Path, objective: Any) -> Journal:
    wanted = [f"{each.direction} {each.name}" for each in _objectives(objective)]
    journal = Journal(project / JOURNAL)
    for entry in journal.entries:
        if entry["event"] == "objectives" and entry["objectives"] != wanted:
            journal.close()
            raise SearchError(
                f"{project} holds a search for {', '.join(entry['objectives'])}, not for {', '.join(wanted)}",
                fix="Give another project_name, or overwrite=True.",
            )
    if not journal.entries:
        journal.append("objectives", objectives=wanted)
    return journal


def _hyperband_trials(max_epochs: int | None, factor: int, iterations: float) -> int:
    """As many configurations as the first rounds of all brackets of `keras_tuner.Hyperband` hold."""
    if max_epochs is None:
        return _TRIALS
    brackets = int(math.log(max_epochs, factor) + 1e-9) + 1
    most = math.ceil(1 + math.log(max_epochs, factor))
    first_rounds = (math.ceil(most / (each + 1) * float(factor) ** each) for each in range(brackets))
    return math.ceil(iterations * sum(first_rounds))


def _last_line(text: str | None) -> str:
    return (text or "nothing was tried").strip().splitlines()[-1]
