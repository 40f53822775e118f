"""`tfadrec evaluate`: runs' metrics on rows that they have not seen."""

import pathlib
from typing import Any, get_args

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    moved_data_option,
    say,
)
from tfadrec.cli.measured import Measured
from tfadrec.cli.number import Number
from tfadrec.cli.outcome import Outcome
from tfadrec.cli.retriever import evaluate_retrievers
from tfadrec.core.config import Model, RunConfig
from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.runs.before import check_run
from tfadrec.runs.models import models_of

#: What a gate may be by.
_COMPARED = ("auc", "gauc", "log_loss", "rmse")
#: A gate that does not hold, and one of which the rows do not tell.
_LOST, _OPEN = 3, 4


@click.command(cls=Command)
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "--must-not-lose",
    type=Number(0),
    metavar="MARGIN",
    help="The most that later runs may lose against the first one.",
)
@click.option(
    "--in",
    "gate_parts",
    metavar="PARTS",
    help="Where they must not: all and names of slices, with commas  "
    "[default: all]",
)
@click.option(
    "--metric",
    type=click.Choice(_COMPARED),
    help="By what they must not  [default: what the first run was chosen by]",
)
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Say in the reports what scores are made of.",
)
@click.option("--revenue", metavar="LABEL", help="What a shown ad brought.")
@click.option("--cost", metavar="LABEL", help="What a shown ad cost.")
@click.option(
    "--fairness",
    "columns",
    multiple=True,
    metavar="COLUMN",
    help="Show exposure and error by its values. May be repeated.",
)
@click.option(
    "--slice",
    "sliced",
    multiple=True,
    metavar="COLUMN",
    help="Measure and compare by its values too: a column, history_length, "
    "ad_age, hour, text_length, script, or several with + between them. May be "
    "repeated.",
)
@click.option(
    "--by",
    "unit",
    type=click.Choice(["user", "request"]),
    default="user",
    show_default=True,
    help="What intervals of comparisons are drawn by; request where users do "
    "not come again.",
)
@moved_data_option
@allow_import_option
def evaluate(
    runs: tuple[str, ...],
    must_not_lose: float | None,
    gate_parts: str | None,
    metric: str | None,
    explained: bool,
    revenue: str | None,
    cost: str | None,
    columns: tuple[str, ...],
    sliced: tuple[str, ...],
    unit: str,
    data: str | None,
    allow_import: tuple[str, ...],
) -> Outcome:
    """Measure RUNS on their test rows, and write RUN/report.html.

    Baselines are fitted to the training rows and measured on the same test
    rows. Several runs are shown in one table; they need the same test rows.
    Every model is compared with that of the first run, with 95 % intervals;
    runs that differ in the seed alone are one model.

    A retriever is measured by its recall and NDCG in the whole catalogue,
    beside popularity and item-to-item cosine; it has no report.

    With --must-not-lose the exit code is 3 where a later model has lost more
    than that, and 4 where the rows are too few to say that it has not.

    \b
    Example:
      tfadrec evaluate runs/a
      tfadrec evaluate runs/a runs/b
      tfadrec evaluate runs/a --fairness brand --fairness user.age
      tfadrec evaluate runs/a runs/b --slice hour --slice brand+ad_age
      tfadrec evaluate runs/live runs/new --must-not-lose 0.001 \\
        --in all,cold_ads
    """
    names = list(dict.fromkeys(runs))
    kinds = _kinds(names, data, allow_import)
    if kinds == {"retriever"} and must_not_lose is None:
        _check_unmeasured(
            {
                "--in": gate_parts,
                "--metric": metric,
                "--explain": explained,
                "--revenue": revenue,
                "--cost": cost,
                "--fairness": columns,
                "--slice": sliced,
                "--by request": unit == "request",
            }
        )
        return Outcome(evaluate_retrievers(names, data, allow_import))
    records = {name: check_run(name, data, allow_import) for name in names}
    _check_datasets(records)
    if explained:
        _check_explained(records)
    _check_labels(records[names[0]], data, revenue, cost)
    models = models_of(records)
    gated = _gated(must_not_lose, gate_parts, metric, models)
    load_tensorflow()
    from tfadrec import evaluation, report
    from tfadrec.evaluation.page import check_page

    reports = {name: pathlib.Path(name, "report.html") for name in names}
    for path in reports.values():
        check_page(path)
    measured = Measured(data, allow_import, explained, columns, sliced)
    for name in names:
        run = measured.load(name)
        if gated and name == names[0]:
            _check_gate(metric or run.monitor, gated, measured.compared(run))
        measured.add(name, run)
        del run  # so that the next one is loaded without it
        say(f"Run {name}\n\n{measured.evaluations[name]}\n")
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
    differences = measured.differences(models, unit)
    fairness = {
        name: [
            evaluation.measure_fairness(found, measured.test, column)
            for column in columns
        ]
        for name, found in measured.evaluations.items()
    }
    choices = measured.choices(baselines, revenue=revenue, cost=cost)
    for name, found in measured.evaluations.items():
        about = measured.about[name]
        curves = report.curves_section({name: found}, measured.test, baselines)
        evaluation.write_report(
            reports[name],
            f"Run {name}",
            {name: [found]},
            facts=facts,
            baselines=baselines,
            verdicts=said[name],
            differences=differences,
            fairness=fairness[name],
            choices=choices,
            before=about.before,
            calibration=about.calibration,
            after=[*curves, *about.after],
        )
    say(f"{evaluation.rows_line('test', facts)}\n")
    say(evaluation.standings({**baselines, **measured.evaluations}))
    say("")
    if choices:
        say(evaluation.choices_text(choices) + "\n")
    for name, found in fairness.items():
        for by in found:
            say(f"Run {name}\n\n{by}\n")
    if differences:
        say(evaluation.differences_text(differences) + "\n")
    for path in reports.values():
        say(f"Report: {path}")
    lines = [line for verdict in said.values() for line in verdict]
    for line in lines:
        say(line)
    gates = []
    if must_not_lose is not None:
        gates = evaluation.gate(
            differences,
            must_not_lose,
            metric=metric or measured.metrics[names[0]],
            parts=gated,
        )
    for result in gates:
        say(result.line)
    told = {
        name: {
            **found.to_dict(),
            "report": str(reports[name]),
            "verdicts": said[name],
            "fairness": [by.to_dict() for by in fairness[name]],
        }
        for name, found in measured.evaluations.items()
    }
    values = {
        **told[names[0]],
        "rows": facts,
        "baselines": {n: e.to_dict()["metrics"] for n, e in baselines.items()},
        "runs": told,
        "verdicts": lines,
        "choices": choices,
        "models": models,
        "differences": [found.to_dict() for found in differences],
        "gates": [result.to_dict() for result in gates],
    }
    return Outcome(values, _code([result.state for result in gates]))


def _kinds(
    names: list[str], data: str | None, allow_import: tuple[str, ...]
) -> set[str]:
    """The models that runs are of, which are finished."""
    records = [
        check_run(name, data, allow_import, get_args(Model)) for name in names
    ]
    return {RunConfig.from_yaml(record["config"]).model for record in records}


def _check_unmeasured(options: dict[str, Any]) -> None:
    """Refuses options that are about a ranker's scores."""
    if given := [name for name, asked in options.items() if asked]:
        raise InputError(
            "a retriever is measured by recall and NDCG alone. Received: "
            f"{' and '.join(given)}. Leave that out, or name a ranker."
        )


def _check_explained(records: dict[str, dict[str, str]]) -> None:
    """Refuses averages of several rankers before any of them is measured."""
    for name, record in records.items():
        if RunConfig.from_yaml(record["config"]).fit.get("ensemble", 1) > 1:
            raise InputError(
                "one ranker is explained at a time. Received: --explain with "
                f"{name}, the average of several. Leave out --explain, or that "
                "run."
            )


def _gated(
    margin: float | None,
    parts: str | None,
    metric: str | None,
    models: dict[str, list[str]],
) -> list[str]:
    """The parts that a gate is of; none where none is asked for."""
    if margin is None:
        if parts is not None or metric is not None:
            raise InputError(
                "--in and --metric say of what a gate is. Received: "
                f"{'--metric' if parts is None else '--in'} without "
                "--must-not-lose. Name the most that may be lost, or leave it "
                "out."
            )
        return []
    if len(models) < 2:
        raise InputError(
            "a gate compares runs with the first one. Received: "
            f"--must-not-lose {margin} with one run. Name the run that "
            "is live first, and the new one after it."
        )
    return [part.strip() for part in (parts or "all").split(",")]


def _check_gate(
    metric: str, parts: list[str], compared: tuple[list[str], list[str]]
) -> None:
    """Refuses a gate of what is not compared before anything is measured.

    Args:
      metric: that of the gate.
      parts: those of the gate.
      compared: the metrics and the parts that there are.
    """
    metrics, known = compared
    if metric not in metrics:
        raise InputError(
            f"these runs are compared by {', '.join(metrics)}. Received: a "
            f"gate by {metric}. Name one of them with --metric."
        )
    if unknown := [part for part in parts if part not in known]:
        raise InputError(
            f"a gate is of all and of slices: {', '.join(known)}. Received: "
            f"--in {', '.join(unknown)}.{nearest(unknown, known)}"
        )


def _check_labels(
    record: dict[str, str], data: str | None, *names: str | None
) -> None:
    """Refuses amounts that are no labels before anything is loaded."""
    schema = DatasetFiles(data or record["data"]).schema()
    for name in filter(None, names):
        schema.label(name)


def _code(states: list[str]) -> int:
    if "lost" in states:
        return _LOST
    return _OPEN if "open" in states else 0


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
