"""`tfadrec evaluate`: runs' metrics on rows that they have not seen."""

import pathlib
from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow
from tfadrec.core.errors import InputError


@click.command(cls=Command)
@click.argument("runs", nargs=-1, required=True, type=click.Path())
def evaluate(runs: tuple[str, ...]) -> dict[str, Any]:
    """Measure RUNS on their test rows, and write RUN/report.html.

    Baselines are fitted to the training rows and measured on the same test
    rows. Several runs are shown in one table; they need the same test rows.

    \b
    Example:
      tfadrec evaluate runs/a
      tfadrec evaluate runs/a runs/b
    """
    load_tensorflow()
    from tfadrec import evaluation
    from tfadrec.evaluation.page import check_page

    names = list(dict.fromkeys(runs))
    reports = {name: pathlib.Path(name, "report.html") for name in names}
    for report in reports.values():
        check_page(report)
    _check_datasets(names)
    measured = _Measured()
    for name in names:
        measured.add(name)
        click.echo(f"Run {name}\n\n{measured.evaluations[name]}\n")
    baselines = measured.baselines()
    facts = measured.facts()
    said = {
        name: evaluation.verdicts(
            f"Run {name}",
            found,
            baselines,
            measured.test,
            measured.metrics[name],
        )
        for name, found in measured.evaluations.items()
    }
    for name, found in measured.evaluations.items():
        evaluation.write_report(
            reports[name],
            f"Run {name}",
            {"ranker": [found]},
            facts=facts,
            baselines=baselines,
            verdicts=said[name],
        )
    click.echo(f"{evaluation.rows_line('test', facts)}\n")
    click.echo(evaluation.standings({**baselines, **measured.evaluations}))
    click.echo("")
    for report in reports.values():
        click.echo(f"Report: {report}")
    lines = [line for verdict in said.values() for line in verdict]
    for line in lines:
        click.echo(line)
    told = {
        name: {
            **found.to_dict(),
            "report": str(reports[name]),
            "verdicts": said[name],
        }
        for name, found in measured.evaluations.items()
    }
    return {
        **told[names[0]],
        "rows": facts,
        "baselines": {n: e.to_dict()["metrics"] for n, e in baselines.items()},
        "runs": told,
        "verdicts": lines,
    }


def _check_datasets(names: list[str]) -> None:
    """Refuses runs of different datasets before any of them is measured."""
    from tfadrec.training.record import read_record

    if len(names) == 1:
        return
    records = {name: read_record(pathlib.Path(name)) for name in names}
    first = records[names[0]]
    for name, record in records.items():
        if record["fingerprint"] != first["fingerprint"]:
            raise InputError(
                "runs are compared on the same test rows. Received: "
                f"{names[0]}, made with {first['data']}, and {name}, made with "
                f"{record['data']}, which differs. Evaluate them one by one."
            )


class _Measured:
    """Runs on the same rows, of which only the first one's rows are kept."""

    def __init__(self) -> None:
        self.evaluations: dict[str, Any] = {}
        self.metrics: dict[str, str] = {}
        self._train: Any = None
        self._test: Any = None
        self._tasks: dict[str, bool] = {}
        self._vectors: Any = None

    @property
    def test(self):
        """The rows."""
        return self._test

    def add(self, name: str) -> None:
        """Measures a run.

        Raises:
          InputError: where its test rows are others than the first run's.
        """
        from tfadrec import evaluation, training

        run = training.load_run(name)
        if self._test is None:
            self._train, self._test = run.train, run.test
        rows, others = run.test.impressions, self.test.impressions
        if rows.times.tolist() != others.times.tolist():
            raise InputError(
                "runs are compared on the same test rows. Received: "
                f"{len(self.test)} rows of {next(iter(self.evaluations))} and "
                f"{len(run.test)} others of {name}: their settings `data` "
                "split the dataset in different ways. Evaluate them one by one."
            )
        self._tasks |= {
            t: loss.is_binary for t, loss in run.ranker.task_losses.items()
        }
        if self._vectors is None:
            self._vectors = run.ranker.ad_tower.vectors("text")
        self.metrics[name] = run.monitor
        self.evaluations[name] = evaluation.evaluate(
            run.ranker, run.test, train=run.train
        )

    def baselines(self):
        """The baselines of all tasks; text vectors are those of a ranker."""
        from tfadrec import evaluation

        catalogue = self.test.catalogue
        if self._vectors is not None:
            catalogue = catalogue.with_vectors("text", self._vectors)
        train, test = (
            rows.with_catalogue(catalogue) for rows in (self._train, self.test)
        )
        return evaluation.evaluate_baselines(train, test, self._tasks)

    def facts(self) -> dict[str, Any]:
        """Of the rows."""
        from tfadrec import evaluation

        return evaluation.rows_facts(self.test, next(iter(self._tasks)))
