"""All checks, one after the other."""

import itertools
import os
import pathlib
from collections.abc import Iterable
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis import (
    flavour,
    histories,
    label_checks,
    leaks,
    rows_checks,
    sampler,
    text_checks,
)
from tfadrec.diagnosis.finding import Finding
from tfadrec.training import Run, load_run

_LEVELS = ("error", "warning", "note")
#: What values raise that no search has written.
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
OF_DATASETS = (
    leaks.label_copies,
    leaks.leaking_ids,
    leaks.future_events,
    leaks.split_leaks,
    sampler.sampler_leaks,
    histories.wrong_histories,
    histories.single_rows,
    rows_checks.duplicates,
    rows_checks.copied_ads,
    text_checks.cut_texts,
    rows_checks.one_class,
    label_checks.outdone,
    label_checks.unclicked_conversions,
    rows_checks.constants,
    rows_checks.unknown_values,
    rows_checks.impossible_times,
    rows_checks.clock_jumps,
)


@takes(dataset="dataset")
def examine_dataset(dataset: Dataset) -> list[Finding]:
    """What is wrong with a dataset, the worst first.

    Args:
      dataset: with at least one impression.
    """
    return in_order(check(dataset) for check in OF_DATASETS)


def examine_run_folder(
    folder: str | pathlib.Path, **settings: Any
) -> list[Finding]:
    """What is wrong with the run in a folder, which may be another Keras's.

    Args:
      folder: of `tfadrec train`.
      **settings: of `training.load_run`.

    Raises:
      InputError: see `training.load_run`.
    """
    written = list(flavour.keras_flavour(pathlib.Path(folder)))
    if any(finding.level == "error" for finding in written):
        return in_order([written])  # which cannot be loaded
    run = load_run(folder, **settings)
    return in_order([written, examine_run(run, str(folder))])


def examine_run(run: Run, folder: str = "RUN") -> list[Finding]:
    """What is wrong with a run and with its dataset, the worst first.

    Args:
      run: of `training.load_run`.
      folder: its folder, as commands that are proposed are to name it.
    """
    from tfadrec.diagnosis import reading, run_checks
    from tfadrec.diagnosis.scored import Scored

    scored = Scored.of_run(run)
    of_scores = (
        reading.ignored_inputs,
        reading.read_padding,
        run_checks.saturated_logits,
        run_checks.equal_tasks,
        run_checks.no_better_than_chance,
    )
    return in_order(
        itertools.chain(
            [run_checks.broken_weights(run), run_checks.training_steps(run)],
            [text_checks.cut_tokens(run)],
            (check(scored) for check in of_scores),
            [run_checks.calibration_off(scored, folder)],
            (check(run.dataset) for check in OF_DATASETS),
        )
    )


@takes(dataset="dataset")
def examine_bundle(
    path: str | os.PathLike[str], dataset: Dataset | None = None
) -> list[Finding]:
    """What is wrong with a bundle, the worst first.

    Args:
      path: the folder of a version, or the folder of versions, of which the
        newest is examined, and of those that have a label the files, and
        whether they give ads that were taken down.
      dataset: rows of today's log, prepared with --like the dataset that the
        run was trained on; they are asked of the bundle, and held against what
        it was trained on.

    Raises:
      InputError: where the rows have other inputs than the bundle.
    """
    from tfadrec.diagnosis import bundle_checks

    found = bundle_checks.of_bundle(pathlib.Path(path), dataset)
    return in_order(itertools.chain([flavour.keras_flavour()], found))


def examine_sweep(folder: str | os.PathLike[str]) -> list[Finding]:
    """What is wrong with a search, the worst first.

    Args:
      folder: of `tfadrec tune`.

    Raises:
      InputError: where it has ended no trial yet, or its files are not as they
        were written.
    """
    from tfadrec.diagnosis import sweep_checks

    try:
        return in_order(sweep_checks.of_sweep(pathlib.Path(folder)))
    except InputError:
        raise
    except _UNFIT as error:
        raise InputError(
            "a search is examined by the files that it wrote. Received: "
            f"{folder}, whose leaderboard has other values ({error!r}). "
            "Search again."
        ) from error


def in_order(found: Iterable[Iterable[Finding]]) -> list[Finding]:
    """The findings of some checks, the worst first."""
    findings = itertools.chain.from_iterable(found)
    return sorted(findings, key=lambda f: _LEVELS.index(f.level))
