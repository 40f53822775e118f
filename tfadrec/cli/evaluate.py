"""`tfadrec evaluate`: a run's metrics on rows that it has not seen."""

import pathlib
from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow


@click.command(cls=Command)
@click.argument("run", type=click.Path())
def evaluate(run: str) -> dict[str, Any]:
    """Measure a run on its test rows, and write RUN/report.html.

    \b
    Example:
      tfadrec evaluate runs/a
    """
    load_tensorflow()
    from tfadrec import evaluation, training
    from tfadrec.evaluation.page import check_page

    report = pathlib.Path(run, "report.html")
    check_page(report)
    loaded = training.load_run(run)
    found = evaluation.evaluate(loaded.ranker, loaded.test, train=loaded.train)
    evaluation.write_report(report, f"Run {run}", {"ranker": [found]})
    click.echo(found)
    click.echo(f"Report: {report}")
    return {**found.to_dict(), "report": str(report)}
