"""A search with a process for each trial."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import time
import uuid
from collections.abc import Callable, Collection
from typing import Any

from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.core.ranges import refuse_huge
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.open_dataset import open_dataset
from tfadrec.evaluation.page import check_page
from tfadrec.runs.before import check_search, data_path
from tfadrec.runs.record import fingerprint
from tfadrec.runs.sections import defaults_of
from tfadrec.training.build import check_builds
from tfadrec.tuning.budget import Budget
from tfadrec.tuning.distribute import roles, serve
from tfadrec.tuning.door import keras_tuner
from tfadrec.tuning.files import (
    BEST,
    BOARD,
    BOARD_TEXT,
    RECORD,
    REPORT,
    read_json,
    search_folder,
)
from tfadrec.tuning.finalists import SEEDS, retrain
from tfadrec.tuning.leaderboard import Leaderboard
from tfadrec.tuning.objective import check_objective, with_monitor
from tfadrec.tuning.oracles import RESULT, make_oracle
from tfadrec.tuning.progress import Progress
from tfadrec.tuning.report import write_search_report
from tfadrec.tuning.search import Search
from tfadrec.tuning.search_space import SearchSpace
from tfadrec.tuning.trial import run_trial

_HEARTBEAT_SECONDS = 3.0


def tune(
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    space: SearchSpace | Callable[[Any], RunConfig] | None = None,
    *,
    tuner: str = "hyperband",
    objective: Any = "val_auc",
    max_trials: int = 20,
    max_failed: int = 3,
    finalists: int = 3,
    budget: Budget | None = None,
    seed: int = 0,
    chief: str | None = None,
    worker: str | None = None,
    lost_after: float = 60.0,
    progress: bool = True,
    allow_import: Collection[str] = (),
) -> Search | None:
    """Searches for the settings with the best validation metric.

    keras-tuner's oracle chooses, and each trial is trained by `training.train`
    in a process of its own, so that memory does not grow. Called again with the
    same arguments after being killed, it goes on: trials that ended are kept,
    and the one that was running goes on from its last epoch. `max_trials` may
    be larger then.

    In the end the best trials are trained again with three seeds, and the best
    mean wins.

    Hyperband trains a first round for few of the epochs that the settings plan,
    and goes on with the best, each step at the learning rate that a whole
    training has there. A round counts as a trial.

    Args:
      data: a dataset folder.
      out: the folder of the search; a new one, or that of the same search.
      space: what is chosen: a `SearchSpace`, or a function that asks
        keras-tuner's `HyperParameters` and returns a `RunConfig`. By default
        `SearchSpace.default()`.
      tuner: `random`, `bayesian`, `hyperband` or `grid`.
      objective: `val_auc`, `val_gauc`, `val_uauc` or `val_log_loss`, of the
        first task. A trial's best epoch is chosen by it, too.
      max_trials: trials at most, >= 1.
      max_failed: the search ends once more trials than this have failed, >= 0.
      finalists: trials that are trained again in the end; 0 for none.
      budget: limits; a model over one of them is not trained.
      seed: of the search, >= 0.
      chief: HOST:PORT to serve trials to workers at, on many machines; the
        chief itself trains only in the end.
      worker: HOST:PORT of the chief to work for, with the same other
        arguments. Hyperband goes on with what another worker has trained only
        where `out` is a folder that they share.
      lost_after: seconds of silence after which a worker's trial is given to
        another.
      progress: whether to show the trials on standard error.
      allow_import: modules whose classes the settings of a trial may name, as
        `module:Class`.

    Returns:
      What came of it; None from a worker.

    Raises:
      InputError: where an argument is wrong, or the folder holds another
        search.
      TfadrecError: where too many trials failed, or none has a score.
    """
    for name, value, least in (
        ("max_trials", max_trials, 1),
        ("max_failed", max_failed, 0),
        ("finalists", finalists, 0),
        ("seed", seed, 0),
    ):
        refuse_huge(name, value)
        if type(value) is not int or value < least:
            raise InputError(
                f"`{name}` must be an integer >= {least}. Received: "
                f"{name}={value!r}."
            )
    goal = check_objective(objective)
    space = space or SearchSpace.default()
    folder = search_folder(out)
    out = folder.path
    if worker is None:
        folder.check()
    first = _first(space, goal.name)
    schema = check_search(data, first.sections(), allow_import)
    check_builds(first, schema, allow_import)
    task = {
        "data": data_path(data),
        "allow_import": list(allow_import),
        "budget": budget and dataclasses.asdict(budget),
        "until": None,
        "values": {},
    }
    oracle = make_oracle(
        tuner,
        goal,
        max_trials,
        max_failed,
        first.fit.get("epochs", defaults_of("fit")["epochs"]),
        seed,
    )
    shown = Progress(oracle, progress)

    def search() -> None:
        name = f"worker-{uuid.uuid4().hex[:12]}"
        with roles(chief, worker, name):
            made = _Tuner(oracle, space, out, task, shown)
            if chief is not None:
                shown.say(f"chief: waiting for workers at {chief}")
                serve(oracle, lost_after, shown.ended)
            else:
                made.search()

    if worker is not None:
        search()
        return None
    check_page(out / REPORT)
    record = {
        "data": task["data"],
        "fingerprint": fingerprint(open_dataset(data)),
        "space": space.to_yaml()
        if isinstance(space, SearchSpace)
        else getattr(space, "__qualname__", repr(space)),
        "tuner": tuner,
        "objective": goal.name,
        "budget": task["budget"],
        "seed": seed,
    }
    with folder.held():
        _claim(folder, record)
        search()
        return _finish(folder, oracle, space, task, finalists, shown)


class _Tuner(keras_tuner.engine.base_tuner.BaseTuner):
    """keras-tuner's loop over trials, which are run by other processes."""

    def __init__(self, oracle, space, out, task, shown) -> None:
        self._task, self._shown = task, shown
        self._own_oracle = oracle
        build = space.sample if isinstance(space, SearchSpace) else space
        with contextlib.redirect_stdout(io.StringIO()):
            super().__init__(
                oracle, build, directory=str(out), project_name="trials"
            )
        self._waits = False

    def _get_tuner_fname(self):
        return os.path.join(self.project_dir, "oracle.json")

    def save(self):
        if not self._is_worker():
            self.oracle.save()

    def on_search_begin(self):
        self.save()

    def pre_create_trial(self):
        # Asked to wait, it would ask again at once.
        time.sleep(0.5 if self._waits else 0)
        self._waits = True

    def on_trial_end(self, trial):
        super().on_trial_end(trial)
        self._waits = False
        self._shown.ended()

    def _try_run_and_update_trial(self, trial, *_, **__):
        result = self.run_trial(trial)
        metrics = result.get("metrics")
        objective = self.oracle.objective.name
        if metrics is None or metrics[objective] != metrics[objective]:
            trial.status = "FAILED"
            if metrics is not None:
                result = {**result, "error": f"{objective} is not a number"}
        else:
            trial.status = "COMPLETED"
            self.oracle.update_trial(
                trial.trial_id,
                {objective: metrics[objective]},
                step=result["best_epoch"],
            )
        trial.hyperparameters.values[RESULT] = json.dumps(result)

    def run_trial(self, trial, *_, **__):
        """Runs one trial in another process and waits for it."""
        values = dict(trial.hyperparameters.values)
        config = _settings(
            self.hypermodel.build, trial.hyperparameters, self._own_oracle
        )
        promoted = values.get("tuner/trial_id")
        self._shown.begun(trial)
        heard = time.monotonic()

        def watch(history):
            nonlocal heard
            self._shown.trained(history)
            if time.monotonic() - heard > _HEARTBEAT_SECONDS:
                heard = time.monotonic()
                self.oracle.get_trial(trial.trial_id)

        return run_trial(
            pathlib.Path(self.get_trial_dir(trial.trial_id)),
            {
                **self._task,
                "config": config.to_yaml(),
                "until": values.get("tuner/epochs"),
                "values": {
                    k: v for k, v in values.items() if "tuner/" not in k
                },
            },
            promoted and pathlib.Path(self.get_trial_dir(promoted)),
            watch,
        )


def _settings(build, hp, oracle) -> RunConfig:
    return with_monitor(build(hp), oracle.objective.name)


def _first(space, objective: str) -> RunConfig:
    """The settings of the first trial, to see what is wrong with them early."""
    hp = keras_tuner.HyperParameters()
    made = space.sample(hp) if isinstance(space, SearchSpace) else space(hp)
    if not isinstance(made, RunConfig):
        raise InputError(
            f"a space must give a RunConfig. Received: {type(made).__name__}."
        )
    if not hp.space:
        raise InputError(
            "a space needs something to choose. Received: none. Ask the "
            "HyperParameters that are given."
        )
    return with_monitor(made, objective)


def _claim(folder: WorkFolder, record: dict[str, Any]) -> None:
    """Writes search.json, or checks that the folder is the same search's."""
    if folder.is_own(RECORD):
        found = read_json(folder.path / RECORD)
        other = [key for key in record if found.get(key) != record[key]]
        if other:
            raise InputError(
                f"a search goes on with what it was begun with. Received: "
                f"{folder.out}, begun with another {', '.join(other)}. Name "
                "another folder, or remove this one."
            )
    folder.write_text(RECORD, json.dumps(record, indent=1))


def _finish(folder, oracle, space, task, finalists, shown) -> Search:
    """Writes what was found, and makes the last choice."""
    out = folder.path
    board = Leaderboard.of(oracle)
    failed = oracle.failed
    if not board.completed:
        _write(folder, board, None, None)
        raise TfadrecError(_no_score(board))
    if len(failed) > oracle.max_failed:
        _write(folder, board, None, None)
        raise TfadrecError(
            f"at most {oracle.max_failed} trials may fail. Received: "
            f"{len(failed)}, the last with: {failed[-1].message} Mend the "
            "space, or allow more."
        )
    build = space.sample if isinstance(space, SearchSpace) else space
    configs: dict[str, RunConfig] = {}
    for trial in board.completed:
        hp = oracle.trials[trial["trial"]].hyperparameters.copy()
        config = _settings(build, hp, oracle)
        if config not in configs.values():  # as after a promotion
            configs[trial["trial"]] = config
    best = next(iter(configs))
    run = pathlib.Path(oracle._get_trial_dir(best)) / "run"
    final = None
    if finalists > 0:
        chosen = dict(list(configs.items())[:finalists])
        final = retrain(
            {**task, "budget": None},
            chosen,
            out / "final",
            oracle.objective,
            shown.say,
        )
        if final["finalists"]:
            best = final["finalists"][0]["trial"]
            run = out / "final" / f"trial_{best}-seed_{SEEDS[0]}" / "run"
        shown.say(final["verdict"])
    _write(folder, board, final, configs[best])
    return Search(out, board, final, configs[best], run)


def _no_score(board: Leaderboard) -> str:
    infeasible = [t for t in board.trials if t["status"] == "infeasible"]
    if infeasible:
        nearest = infeasible[-1]["message"]
        return (
            "a search needs a trial within its budget. Received: none in "
            f"{len(board.trials)} trials; one was {nearest}. Raise the limit, "
            "or add smaller models to the space."
        )
    last = board.trials[-1]["message"] if board.trials else "no trial was run"
    return (
        "a search needs a trial that ends. Received: none in "
        f"{len(board.trials)} trials; the last with: {last}"
    )


def _write(folder, board, final, best: RunConfig | None) -> None:
    """The leaderboard as text, JSON and HTML, and the best settings."""
    record = {**dataclasses.asdict(board), "final": final}
    with folder.writing() as fresh:
        (fresh / BOARD_TEXT).write_text(f"{board}\n", "utf-8")
        (fresh / BOARD).write_text(json.dumps(record, indent=1), "utf-8")
        if best is not None:
            (fresh / BEST).write_text(best.to_yaml(), "utf-8")
    write_search_report(folder.path / REPORT, board, final, best)
