"""`tfadrec evaluate`: runs' metrics on rows that they have not seen."""

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
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@moved_data_option
@allow_import_option
def evaluate(
    runs: tuple[str, ...], data: str | None, allow_import: tuple[str, ...]
) -> dict[str, Any]:
    """Measure RUNS on their test rows, and write RUN/report.html.

    Baselines are fitted to the training rows and measured on the same test
    rows. Several runs are shown in one table; they need the same test rows.

    \b
    Example:
      tfadrec evaluate runs/a
      tfadrec evaluate runs/a runs/b
    """
    names = list(dict.fromkeys(runs))
    _check_datasets(
        {name: check_run(name, data, allow_import) for name in names}
    )
    load_tensorflow()
    from tfadrec import evaluation
    from tfadrec.evaluation.page import check_page

    reports = {name: pathlib.Path(name, "report.html") for name in names}
    for report in reports.values():
        check_page(report)
    measured = _Measured(data, allow_import)
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


def _check_datasets(records: dict[str, dict[str, str]]) -> None:
    """Refuses runs of different datasets before any of them is measured."""
    (first, of_first), *others = records.items()
    for name, record in others:
        if record["fingerprint"] != of_first["fingerprint"]:
            raise InputError(
                "runs are compared on the same test rows. Received: "
                f"{first}, made with {of_first['data']}, and {name}, made with "
                f"{record['data']}, which differs. Evaluate them one by one."
            )


class _Measured:
    """Runs on the same rows, of which only the first one's rows are kept."""

    def __init__(self, data: str | None, allow_import: tuple[str, ...]) -> None:
        self._data, self._allow_import = data, allow_import
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
          InputError: where it has no test rows, or others than the first run.
        """
        from tfadrec import evaluation, training

        run = training.load_run(
            name, data=self._data, allow_import=self._allow_import
        )
        if not len(run.test):
            raise InputError(
                "a run is measured on rows that it has not seen. Received: "
                f"{name}, which was fitted on all rows of its dataset. Fit it "
                "on a part, as of data.split_by_time."
            )
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
