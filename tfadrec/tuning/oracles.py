"""keras-tuner's oracles, made fit for a search that may be killed."""

import functools
import json
import os
import pathlib
from typing import Any

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.replace_file import replace_text, replacing_file
from tfadrec.tuning.budget import OVER_BUDGET
from tfadrec.tuning.door import keras_tuner

#: Where a trial's values carry its result: it is what comes back from a worker.
RESULT = "tfadrec/result"

#: Names of the four, as they are asked for.
TUNERS = ("random", "bayesian", "hyperband", "grid")


def make_oracle(
    tuner: str,
    objective,
    max_trials: int,
    max_failed: int,
    epochs: int,
    seed: int,
):
    """An oracle of keras-tuner.

    Args:
      tuner: one of `TUNERS`.
      objective: an `Objective`.
      max_trials: trials at most.
      max_failed: a search ends once more trials than this have failed.
      epochs: that a trial is trained for at most; of Hyperband.
      seed: >= 0.

    Raises:
      InputError: where there is no such tuner.
    """
    if tuner not in TUNERS:
        raise InputError(
            f"`tuner` must be one of {', '.join(TUNERS)}. Received: {tuner!r}."
        )
    settings: dict[str, Any] = {
        "objective": objective,
        "seed": seed + 1,  # keras-tuner takes 0 for none
        # Failures are counted here, see `create_trial`.
        "max_consecutive_failed_trials": max_trials + 1,
    }
    if tuner == "hyperband":
        oracle = _Hyperband(
            max_epochs=epochs, hyperband_iterations=None, **settings
        )
        oracle.max_trials = max_trials
    elif tuner == "bayesian":
        # Left to itself it would begin with three random trials per setting.
        oracle = _Bayesian(
            max_trials=max_trials,
            num_initial_points=max(3, max_trials // 3),
            **settings,
        )
    else:
        made = _Random if tuner == "random" else _Grid
        oracle = made(max_trials=max_trials, **settings)
    oracle.verbose = 0
    oracle.max_failed = max_failed
    return oracle


class _Durable:
    """What the four share.

    The first trial is at the defaults. Files are replaced whole. A trial that
    was running when the process was killed is run again. Too many failures end
    the search, also one that workers take part in, and nobody is sent home
    while a trial is running that might have to be done again.
    """

    max_failed = 0

    @property
    def failed(self):
        """The trials that ended without a score, though not by the budget."""
        return [
            trial
            for trial in self.trials.values()
            if trial.status == "FAILED" and not is_infeasible(trial)
        ]

    @property
    def is_over(self):
        """Whether nothing is left to run, as far as the number of trials."""
        waiting = self.ongoing_trials or self._retry_queue
        return len(self.trials) >= self.max_trials and not waiting

    def create_trial(self, tuner_id):
        if len(self.failed) > self.max_failed:
            self.max_trials = len(self.trials)
            self._retry_queue.clear()
        full = len(self.trials) >= self.max_trials
        running = self.ongoing_trials
        if full and running and not (self._retry_queue or tuner_id in running):
            return _idle(self)
        return super().create_trial(tuner_id)

    def end_trial(self, trial):
        kept = self.trials[trial.trial_id]
        if trial.trial_id in self._retry_queue:  # was thought to be lost
            self._retry_queue.remove(trial.trial_id)
        if trial.trial_id in self.end_order:
            self._let_go(trial.trial_id)
            return
        text = trial.hyperparameters.values.pop(RESULT)
        folder = pathlib.Path(self._get_trial_dir(trial.trial_id))
        replace_text(folder / "result.json", text)
        result = json.loads(text)
        trial.message = result.get("infeasible") or result.get("error")
        # What comes back from a worker has lost digits.
        trial.hyperparameters = kept.hyperparameters
        super().end_trial(trial)

    def lose(self, tuner_id):
        """Takes a worker's trial from it, for another to run again."""
        self.tuner_ids.discard(tuner_id)
        trial = self.ongoing_trials.pop(tuner_id, None)
        if trial is not None:
            self._retry_queue.append(trial.trial_id)
            self.save()

    def _let_go(self, trial_id):
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if trial.trial_id == trial_id:
                del self.ongoing_trials[tuner_id]

    def _random_values(self):
        if self.start_order:
            return super()._random_values()
        space = self.get_space()
        space.values = {}
        for parameter in space.space:
            if space.is_active(parameter):
                space.values[parameter.name] = parameter.default
        return space.values

    def save(self):
        """Replaces the file, so that a kill leaves a whole one."""
        with replacing_file(self._get_oracle_fname()) as fresh:
            super(keras_tuner.Oracle, self).save(str(fresh))

    def _save_trial(self, trial):
        folder = self._get_trial_dir(trial.trial_id)
        with replacing_file(os.path.join(folder, "trial.json")) as fresh:
            trial.save(str(fresh))

    def reload(self):
        super().reload()
        self.trials = dict(
            sorted(self.trials.items(), key=lambda item: int(item[0]))
        )
        for trial in self.trials.values():
            running = trial.status == "RUNNING"
            if running and trial.trial_id not in self._retry_queue:
                self._retry_queue.append(trial.trial_id)


class _Random(_Durable, keras_tuner.oracles.RandomSearchOracle):
    """Random search."""


class _Bayesian(_Durable, keras_tuner.oracles.BayesianOptimizationOracle):
    """Bayesian optimisation that tries nothing twice.

    Its random state is that of the number of trials, so a kill changes nothing.
    """

    def populate_space(self, trial_id):
        state = self.seed + len(self.trials)
        self._random_state = np.random.RandomState(state)
        found = super().populate_space(trial_id)
        if found["values"] and self._duplicate(found["values"]):
            return self._random_populate_space()
        return found


class _Hyperband(_Durable, keras_tuner.oracles.HyperbandOracle):
    """Hyperband, which fills the place of a trial that failed.

    keras-tuner waits for a score of all of a round before it promotes one.
    """

    def end_trial(self, trial):
        super().end_trial(trial)
        if trial.status == "FAILED":
            for bracket in self._brackets:
                first = bracket["rounds"][0]
                first[:] = [i for i in first if i["id"] != trial.trial_id]
            self.save()


class _Grid(_Durable, keras_tuner.oracles.GridSearchOracle):
    """Grid search, which knows where it was: keras-tuner does not save that."""

    def reload(self):
        super().reload()
        ordered = sorted(
            self.trials,
            key=functools.cmp_to_key(
                lambda a, b: self._compare(
                    self.trials[a].hyperparameters.values,
                    self.trials[b].hyperparameters.values,
                )
            ),
        )
        for trial_id in ordered:
            self._ordered_ids.insert(trial_id)
        self._populate_next = ordered


def is_infeasible(trial) -> bool:
    """Whether a trial was over the budget."""
    return str(trial.message or "").startswith(OVER_BUDGET)


def _idle(oracle):
    """What a worker is answered that has to wait."""
    engine = keras_tuner.engine.trial
    return engine.Trial(
        oracle.get_space(), trial_id="none", status=engine.TrialStatus.IDLE
    )
