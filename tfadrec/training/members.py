"""The trainings of a run: its members, and each again on more rows."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker, RankerEnsemble
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.runs.folder import STATE
from tfadrec.training.fit import fit_in
from tfadrec.training.saved_state import best_epoch
from tfadrec.training.without_steps import set_level
from tfadrec.training.workers import Learn, learn_here

#: Settings of the section `fit` that are about several trainings.
OF_RUNS = ("ensemble", "refit")

#: The part of a run in which a member is trained again.
_REFIT = "refit-{}/"


def _unheard(history: list[dict[str, float]]) -> None:
    """For nobody."""


def fit_members(
    folder: WorkFolder,
    build: Callable[[int], AdRanker],
    dataset: Dataset,
    train: Dataset,
    valid: Dataset,
    settings: Mapping[str, Any],
    *,
    until: int | None = None,
    progress: bool = True,
    tell: Callable[[list[dict[str, float]]], None] = _unheard,
    learn: Learn = learn_here,
    taught: Dataset | None = None,
) -> tuple[Ranker, Ranker, list[dict[str, float]]]:
    """Trains what a run consists of, one after another, in its folder.

    Member i of k has the seed `seed + i`, of its first weights and of the order
    of its rows. With `refit` each is trained again from its first weights, on
    the rows to train and to validate together, for as many epochs as it was
    best after; the learning rate falls over as many epochs as before. Called
    again after being killed, it goes on with the training that it was in.

    Args:
      folder: of the run, which is held.
      build: gives a compiled ranker for a seed.
      dataset: all rows.
      train: rows to learn from.
      valid: rows to choose the epoch by.
      settings: the section `fit`.
      until: see `fit`; nothing is trained again before the last epoch.
      progress: see `fit`.
      tell: is called with the history of the first member at the end of each of
        its epochs.
      learn: see `run_epochs`.
      taught: see `fit_in`; there is no `refit` with it.

    Returns:
      The ranker; the one that was measured on the validation rows, which is the
      same without `refit`; and the history of the first member.
    """
    single = {k: v for k, v in settings.items() if k not in OF_RUNS}
    seed = single.pop("seed", 0)
    monitor = single.get("monitor", "val_auc")
    seeds = range(seed, seed + settings.get("ensemble", 1))
    chosen, histories = [], []
    for number, own in enumerate(seeds, start=1):
        ranker = build(own)
        history = fit_in(
            folder,
            ranker,
            train,
            valid,
            part="" if number == 1 else f"member-{number}/",
            title=f"member {number} of {len(seeds)}" if len(seeds) > 1 else "",
            seed=own,
            until=until,
            progress=progress,
            tell=tell if number == 1 else _unheard,
            learn=learn,
            taught=taught,
            **single,
        )
        chosen.append(ranker)
        histories.append(history)
    if not settings.get("refit") or until is not None:
        ranker = _together(chosen)
        return ranker, ranker, histories[0]
    again = []
    rows = with_valid(dataset, train, valid)
    for number, own in enumerate(seeds, start=1):
        ranker = build(own)
        fit_in(
            folder,
            ranker,
            rows,
            None,
            part=_REFIT.format(number),
            title=f"refit {number} of {len(seeds)}",
            seed=own,
            until=best_epoch(histories[number - 1], monitor),
            progress=progress,
            learn=learn,
            **single,
        )
        _mix_as(ranker, chosen[number - 1], valid)
        again.append(ranker)
    return _together(again), _together(chosen), histories[0]


def chosen_in(
    run: pathlib.Path, settings: Mapping[str, Any]
) -> tuple[str | None, str]:
    """Where a run of one member has what its ranker has learned.

    Args:
      run: the folder.
      settings: the section `fit`.

    Returns:
      The metric that tells the epoch, None for the last one, and the part; see
      `SavedState`.
    """
    again = _REFIT.format(1)
    if settings.get("refit") and (run / again / STATE).exists():
        return None, again
    return settings.get("monitor", "val_auc"), ""


def _mix_as(ranker: AdRanker, chosen: AdRanker, valid: Dataset) -> None:
    """Gives a ranker the mix of opinions that rows left out have told.

    Its level is where it expects as many clicks of these rows as they told.
    """
    if ranker.fold_in is not None and chosen.fold_in is not None:
        ranker.fold_in.mix.assign(chosen.fold_in.mix)
        set_level(ranker, valid, like=chosen)


def with_valid(dataset: Dataset, train: Dataset, valid: Dataset) -> Dataset:
    """The rows to train and those to validate, in the order of their dataset.

    Args:
      dataset: read from a folder, all of its rows.
      train: some of them.
      valid: others.
    """
    rows = []
    for part in (train, valid):
        assert part.origin is not None
        rows.append(part.origin.numbers)
    return dataset.select(np.sort(np.concatenate(rows)))


def _together(rankers: list[AdRanker]) -> Ranker:
    if len(rankers) == 1:
        return rankers[0]
    try:
        ensemble = RankerEnsemble(rankers)
    except ValueError as error:
        raise InputError(f"`fit.ensemble`: {error}") from error
    ensemble.build()
    ensemble.compile("sgd")  # without slots: it is measured, not trained
    return ensemble
