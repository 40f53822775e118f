"""`tfadrec evaluate`: a run's metrics on rows that it has not seen."""

import pathlib
from typing import Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    moved_data_option,
)
from tfadrec.core.errors import InputError
from tfadrec.runs.before import check_run


@click.command(cls=Command)
@click.argument("run", type=click.Path())
@moved_data_option
@allow_import_option
def evaluate(
    run: str, data: str | None, allow_import: tuple[str, ...]
) -> dict[str, Any]:
    """Measure a run on its test rows, and write RUN/report.html.

    \b
    Example:
      tfadrec evaluate runs/a
    """
    check_run(run, data, allow_import)
    load_tensorflow()
    from tfadrec import evaluation, training
    from tfadrec.evaluation.page import check_page

    report = pathlib.Path(run, "report.html")
    check_page(report)
    loaded = training.load_run(run, data=data, allow_import=allow_import)
    if not len(loaded.test):
        raise InputError(
            "a run is measured on rows that it has not seen. Received: "
            f"{run}, which was fitted on all rows of its dataset. Fit it on a "
            "part, as of data.split_by_time."
        )
    found = evaluation.evaluate(loaded.ranker, loaded.test, train=loaded.train)
    evaluation.write_report(report, f"Run {run}", {"ranker": [found]})
    click.echo(found)
    click.echo(f"Report: {report}")
    return {**found.to_dict(), "report": str(report)}
