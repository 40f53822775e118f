"""A log replayed day by day: frozen, updated, and retrained from nothing."""

import dataclasses
import itertools
import json
import logging
import pathlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.data.intake.slice_dataset import slice_dataset
from tfadrec.data.intake.write import is_made
from tfadrec.data.open_dataset import open_dataset
from tfadrec.metrics import ranking
from tfadrec.runs.folder import JOINED, replay_folder
from tfadrec.runs.record import fingerprint
from tfadrec.training.by_size import chosen_by_size, count_examples
from tfadrec.training.checks import check_goal
from tfadrec.training.grow_vocabulary import grow_vocabulary
from tfadrec.training.run import Run, train
from tfadrec.training.text import with_text
from tfadrec.training.update import update, with_day

_LOG = logging.getLogger(__name__)
_DAY = 86_400
_BATCH = 4096
#: The ways to come to the ranker that meets a day.
WAYS = ("frozen", "updated", "retrained")
#: What a replay was begun with, and what its rankers have cost.
_RECORD = "replay.json"
_SECONDS = "seconds"


def replay(
    data: str | pathlib.Path,
    config: RunConfig,
    out: str | pathlib.Path,
    *,
    days: float = 1.0,
    first: float = 0.5,
    epochs: int = 1,
    rehearse: float = 0.0,
    rate: float = 1.0,
    allow_import: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Measures what updating is worth, on every day before it is learned.

    The log is cut by time: a first part, on which a run is trained, and then
    one stretch after another. Each is scored by the run of the first part
    (frozen), by that run updated with every stretch so far (`update`), and by
    one that was trained from nothing on all rows so far; only then it is
    learned, and the last one is not. Ads, users and values are new when they
    first occur.

    Called again after being killed, it goes on where it was: every ranker is a
    run folder in `out`.

    Args:
      data: a dataset folder.
      config: the settings of all rankers.
      out: a folder of its own.
      days: the length of a stretch, > 0, in days of 86,400 seconds.
      first: the share of impressions in the first part, in (0, 1).
      epochs: see `training.update`.
      rehearse: see `training.update`.
      rate: see `training.update`.
      allow_import: modules whose classes the settings may name.

    Returns:
      One dict per stretch: `since` (UTC seconds), `rows`, and way -> `auc`,
      `log_loss`, `calibration` (predicted over observed clicks), of the rows;
      `examples`, how many the step that made the ranker learned, one as often
      as it was learned; and `seconds`, the processor time of that step, None
      where it was killed and gone on with.

    Raises:
      InputError: where an argument is out of range, the settings ask for an
        ensemble, or the first task has real labels; where `out`
        holds another replay, or anything else.
    """
    if not 0 < first < 1 or not 0 < days < np.inf:
        raise InputError(
            "`first` must be a share in (0, 1) and `days` a number > 0. "
            f"Received: first={first}, days={days}."
        )
    if config.distil is not None:
        raise InputError(
            "a ranker is replayed without another model, which would know the "
            f"days to come. Received: distil={config.distil!r}. Leave it out."
        )
    if config.fit.get("ensemble", 1) > 1:
        raise InputError(
            "a replay follows one ranker from day to day. Received: `fit` with "
            f"ensemble={config.fit['ensemble']}. Leave that out."
        )
    folder = replay_folder(out)
    dataset = open_dataset(data)
    bounds = _bounds(dataset, days, first)
    record = {
        "fingerprint": fingerprint(dataset),
        "days": days,
        "first": first,
        "epochs": epochs,
        "rehearse": rehearse,
        "rate": rate,
    }
    with folder.held():
        _claim(folder, record)
        folders = [
            _stretch(data, folder.path / f"day-{number:03}", since, until)
            for number, (since, until) in enumerate(bounds)
        ]
        return _replayed(
            config,
            folder,
            bounds,
            folders,
            {"epochs": epochs, "rehearse": rehearse, "rate": rate},
            allow_import,
        )


def _claim(folder: WorkFolder, record: Mapping[str, Any]) -> None:
    """Writes what a replay is begun with, or compares it.

    Raises:
      InputError: where the folder is of another replay.
    """
    if not folder.is_own(_RECORD):
        folder.write_text(_RECORD, json.dumps(record, indent=1))
        return
    found = {"rate": 1.0, **read_json(folder.path / _RECORD)}
    others = [name for name in record if found.get(name) != record[name]]
    if others:
        raise InputError(
            "a replay goes on with what it was begun with. Received: "
            f"{folder.out}, begun with another {', '.join(others)}. Name "
            "another folder, or remove this one."
        )


def _replayed(
    config: RunConfig,
    folder: WorkFolder,
    bounds: Sequence[tuple[int | None, int | None]],
    folders: Sequence[pathlib.Path],
    steps: Mapping[str, Any],
    allow_import: Collection[str],
) -> list[dict[str, Any]]:
    """See `replay`; its folder is held.

    Args:
      config: see `replay`.
      folder: its own.
      bounds: the first and the last moment of each stretch.
      folders: their datasets.
      steps: how an update learns: `epochs`, `rehearse` and `rate` of `replay`.
      allow_import: see `replay`.
    """
    settings: dict[str, Any] = {
        "progress": False,
        "allow_import": allow_import,
    }

    out = folder.path

    def trained(rows: pathlib.Path, name: str) -> _Way:
        run = out / name
        return _Way.of(
            *_timed(folder, name, lambda: train(rows, config, run, **settings))
        )

    def updated(number: int, before: Run) -> _Way:
        name = f"updated-{number:03}"
        last = out / (f"updated-{number - 1:03}" if number > 1 else "frozen")
        more = {**settings, **steps, "before": before}
        rows = folders[number]
        made = _timed(
            folder,
            name,
            lambda: update(last, rows, out / name, **more),
        )
        return _Way.of(*made, before)

    base = trained(folders[0], "frozen")
    check_goal(base.run.ranker)
    ways = dict.fromkeys(WAYS, base)
    known = folders[0]
    found = []
    for number, (since, _) in enumerate(bounds[1:], 1):
        is_last = number == len(bounds) - 1
        if is_last:
            # Nobody meets a day after it, so it is not learned.
            joined = out / f"joined-{number:03}"
            before = ways["updated"].run
            whole = with_day(before, known, folders[number], joined)
            whole = with_text(whole, before.config.text)
        else:
            learned = updated(number, ways["updated"].run)
            whole = learned.run.dataset
            known = out / f"updated-{number:03}" / JOINED
        assert whole.impressions.days is not None
        day = whole.select(whole.impressions.days == number)
        met = {name: way.meets(day) for name, way in ways.items()}
        found.append({"since": since, "rows": len(day), **met})
        _LOG.info(
            "stretch %d of %d, %d rows: AUC %s",
            number,
            len(bounds) - 1,
            len(day),
            ", ".join(f"{name} {met[name]['auc']:.4f}" for name in WAYS),
        )
        if not is_last:
            again = trained(known, f"retrained-{number:03}")
            ways |= {"updated": learned, "retrained": again}
    return found


def _timed(
    folder: WorkFolder, name: str, make: Callable[[], Run]
) -> tuple[Run, float | None]:
    """A run of a replay, and the processor time that it took, which is kept.

    Args:
      folder: of the replay, which is held.
      name: of the run's folder in it.
      make: makes the run, goes on with it, or reads it.
    """
    is_new = not (folder.path / name).exists()
    begun = time.process_time()
    run = make()
    seconds = time.process_time() - begun
    record = read_json(folder.path / _RECORD)
    known = record.setdefault(_SECONDS, {})
    if is_new:
        known[name] = seconds
        folder.write_text(_RECORD, json.dumps(record, indent=1))
    return run, known.get(name)


@dataclasses.dataclass(frozen=True)
class _Way:
    """A run, and what the step that made it cost."""

    run: Run
    examples: int
    seconds: float | None

    @classmethod
    def of(
        cls, run: Run, seconds: float | None, before: Run | None = None
    ) -> "_Way":
        steps = int(run.ranker.optimizer.iterations)
        if before is not None:
            steps -= int(before.ranker.optimizer.iterations)
        fit = chosen_by_size(run.config.fit, run.train)
        size, by = fit["batch_size"], fit.get("by", "row")
        epochs = len(run.history)
        if fit.get("refit"):  # trained once to be measured, and once again
            of_all = max(1, count_examples(run.train, by) // size)
            steps += epochs * (fit.get("steps_per_epoch") or of_all)
        else:  # it is that of its best epoch, and later ones cost as much
            steps = steps * epochs // run.best_epoch
        return cls(run, steps * size, seconds)

    def meets(self, day: Dataset) -> dict[str, Any]:
        """How well the ranker does on a day that it has not learned."""
        ranker = grow_vocabulary(self.run.ranker, self.run.dataset, day)
        task, rows = ranker.tasks[0], day.impressions
        logits = ranker.predict(day.batches(_BATCH), verbose=0)[task]
        labels, weights = rows.labels[task], rows.weights
        return {
            "auc": ranking.auc(labels, logits, weights),
            "log_loss": ranking.log_loss(labels, logits, weights),
            "calibration": ranking.calibration_ratio(labels, logits, weights),
            "examples": self.examples,
            "seconds": self.seconds,
        }


def _bounds(
    dataset: Dataset, days: float, first: float
) -> list[tuple[int | None, int | None]]:
    """The first and the last moment of the first part and every stretch."""
    times = np.sort(dataset.impressions.times)
    if not len(times) or times[0] == times[-1]:
        raise InputError(
            "a replay needs impressions of more than one moment. Received: "
            f"{len(times)}. Prepare them with their times."
        )
    start = int(times[round(first * (len(times) - 1))])
    step = max(1, round(days * _DAY))
    # A stretch in which nobody was shown anything belongs to the one before.
    starts = start + step * np.unique((times[times >= start] - start) // step)
    edges = [None, *starts.tolist(), None]
    return list(itertools.pairwise(edges))


def _stretch(
    data: str | pathlib.Path,
    out: pathlib.Path,
    since: int | None,
    until: int | None,
) -> pathlib.Path:
    if not is_made(out):
        slice_dataset(data, out, since=since, until=until)
    return out
