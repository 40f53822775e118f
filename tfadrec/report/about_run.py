"""The sections of a report that are of one run."""

import dataclasses

from tfadrec.evaluation import Evaluation, evaluate
from tfadrec.explanation import explain_run
from tfadrec.report.ads import ads_section
from tfadrec.report.curves import calibration_section
from tfadrec.report.explanations import explanations_section
from tfadrec.report.learning import learning_section, settings_section
from tfadrec.report.rows import rows_section
from tfadrec.training import Run


@dataclasses.dataclass(frozen=True)
class AboutRun:
    """HTML of a run, as `write_report` takes it.

    Args:
      before: what comes before the metrics: data, and how it learned.
      calibration: reliability before and after its calibration, if it has one.
      after: what comes after the metrics: ads, explanations, settings.
    """

    before: list[str]
    calibration: list[str]
    after: list[str]


def about_run(
    run: Run, evaluation: Evaluation, *, explained: bool = False
) -> AboutRun:
    """What a report says of a run beside its metrics.

    Args:
      run: of `training.load_run`, with test rows.
      evaluation: of its ranker on its test rows, calibrated where it is.
      explained: whether to explain its scores, which takes some hundred
        predictions of each of 200 rows.
    """
    task = run.ranker.tasks[0]
    calibration, after = [], []
    if run.calibration is not None:
        raw = evaluate(run.ranker, run.test)
        calibration = calibration_section(raw, evaluation)
    if task in evaluation.reliability:
        after += ads_section(evaluation, run.test, task)
    if explained:
        after += explanations_section(explain_run(run))
    return AboutRun(
        [*rows_section(run, task), *learning_section(run)],
        calibration,
        [*after, *settings_section(run)],
    )
