"""All checks, one after the other."""

import itertools

from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis import leaks, rows_checks
from tfadrec.diagnosis.finding import Finding
from tfadrec.training import Run

_LEVELS = ("error", "warning", "note")
OF_DATASETS = (
    leaks.label_copies,
    leaks.leaking_ids,
    leaks.future_events,
    leaks.split_leaks,
    rows_checks.duplicates,
    rows_checks.copied_ads,
    rows_checks.one_class,
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
    return _sorted(check(dataset) for check in OF_DATASETS)


def examine_run(run: Run) -> list[Finding]:
    """What is wrong with a run and with its dataset, the worst first.

    Args:
      run: of `training.load_run`.
    """
    from tfadrec.diagnosis import run_checks

    checks = (
        run_checks.broken_weights,
        run_checks.weights_that_do_not_train,
        run_checks.ignored_inputs,
        run_checks.saturated_logits,
        run_checks.equal_tasks,
        run_checks.calibration_off,
        run_checks.no_better_than_chance,
    )
    return _sorted(
        itertools.chain(
            (check(run) for check in checks),
            (check(run.dataset) for check in OF_DATASETS),
        )
    )


def _sorted(found) -> list[Finding]:
    findings = itertools.chain.from_iterable(found)
    return sorted(findings, key=lambda f: _LEVELS.index(f.level))
