"""The sections of a report that are of one run."""

import dataclasses
from collections.abc import Mapping

from tfadrec.evaluation import Evaluation, evaluate
from tfadrec.report.ads import ads_section
from tfadrec.report.curves import calibration_section, curves_section
from tfadrec.report.learning import learning_section, settings_section
from tfadrec.report.rows import rows_section
from tfadrec.training import Run


@dataclasses.dataclass(frozen=True)
class AboutRun:
    """HTML of a run, as `write_report` takes it.

    Args:
      before: what comes before the metrics: data, and how it learned.
      after: what comes after them: curves, ads and settings.
    """

    before: list[str]
    after: list[str]


def about_run(
    run: Run,
    evaluation: Evaluation,
    baselines: Mapping[str, Evaluation] | None = None,
) -> AboutRun:
    """What a report says of a run beside its metrics.

    Args:
      run: of `training.load_run`, with test rows.
      evaluation: of its ranker on its test rows, calibrated where it is.
      baselines: name -> evaluation of these rows; the best one's curves are
        drawn too.
    """
    task = next(iter(run.ranker.tasks))
    models = {"ranker": evaluation, **_best(baselines or {}, task)}
    after = curves_section(models, run.test)
    if run.calibration is not None:
        raw = evaluate(run.ranker, run.test, train=run.train)
        after += calibration_section(raw, evaluation)
    if task in evaluation.reliability:
        after += ads_section(evaluation, run.test, task)
    return AboutRun(
        [*rows_section(run, task), *learning_section(run)],
        [*after, *settings_section(run)],
    )


def _best(
    baselines: Mapping[str, Evaluation], task: str
) -> dict[str, Evaluation]:
    """The baseline with the best AUC of a task, if there is one."""
    aucs = {
        name: found.metrics[task]["auc"]
        for name, found in baselines.items()
        if "auc" in found.metrics.get(task, ()) and found.scores
    }
    known = {name: value for name, value in aucs.items() if value == value}
    if not known:
        return {}
    name = max(known, key=lambda n: known[n])
    return {name: baselines[name]}
