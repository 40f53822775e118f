"""`tfadrec tune`: a dataset folder to the best settings."""

from typing import Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    read_yaml_file,
)
from tfadrec.core.config import read_sections, read_settings
from tfadrec.runs.before import check_search
from tfadrec.runs.read_config import refuse_misplaced


@click.command(cls=Command)
@click.option(
    "--data", required=True, type=click.Path(), help="The dataset folder."
)
@click.option(
    "--space",
    type=click.Path(),
    help="YAML file with what is chosen; a default where it is left out.",
)
@click.option(
    "--tuner",
    default="hyperband",
    show_default=True,
    help="random, bayesian, hyperband or grid.",
)
@click.option(
    "--objective",
    default="val_auc",
    show_default=True,
    help="val_auc, val_gauc, val_uauc or val_log_loss.",
)
@click.option("--max-trials", default=20, show_default=True)
@click.option(
    "--max-failed",
    default=3,
    show_default=True,
    help="The search ends once more trials than this have failed.",
)
@click.option(
    "--finalists",
    default=3,
    show_default=True,
    help="Trials that are trained again with three seeds; 0 for none.",
)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--max-latency-ms",
    type=float,
    help="Limit of the 99th percentile of scoring a slate.",
)
@click.option(
    "--slate",
    default=100,
    show_default=True,
    help="Candidates in the slate that is timed.",
)
@click.option("--max-bytes", type=int, help="Limit of the weights' size.")
@click.option("--max-parameters", type=int, help="Limit of their number.")
@click.option(
    "--chief",
    metavar="HOST:PORT",
    help="Serve trials to workers there, and train none.",
)
@click.option(
    "--worker", metavar="HOST:PORT", help="Work for the chief that is there."
)
@click.option(
    "--out", required=True, type=click.Path(), help="The search's folder."
)
@allow_import_option
def tune(
    data: str,
    space: str | None,
    max_latency_ms: float | None,
    slate: int,
    max_bytes: int | None,
    max_parameters: int | None,
    out: str,
    allow_import: tuple[str, ...],
    **settings: Any,
) -> dict[str, Any]:
    """Search for the settings with the best validation metric.

    Each trial is trained in a process of its own. A killed search goes on when
    it is started again. The folder holds leaderboard.txt, leaderboard.json,
    report.html, best.yaml for `tfadrec train`, and a run folder per trial.

    \b
    Example:
      tfadrec tune --data data/ml --objective val_auc --max-trials 20 \\
        --out sweeps/a
      tfadrec train --data data/ml --config sweeps/a/best.yaml --out runs/a

    \b
    On several machines that share a folder:
      tfadrec tune --data data/ml --out sweeps/b --chief 10.0.0.1:9000
      tfadrec tune --data data/ml --out sweeps/b --worker 10.0.0.1:9000
    """
    sections = None
    if space is not None:
        text = read_yaml_file("space", space)
        refuse_misplaced(read_settings(text))
        sections = read_sections(text)
    schema = check_search(data, sections or {}, allow_import)
    load_tensorflow()
    from tfadrec import serving, tuning

    serving.check_servable(schema)
    chosen = None
    if sections is not None:
        chosen = tuning.SearchSpace(sections, allow_import)
    limits = (max_latency_ms, max_bytes, max_parameters)
    budget = None
    if any(limit is not None for limit in limits):
        budget = tuning.Budget(max_latency_ms, slate, max_bytes, max_parameters)
    found = tuning.tune(
        data,
        out,
        chosen,
        budget=budget,
        allow_import=allow_import,
        **settings,
    )
    if found is None:
        click.echo("The search is over; its results are at the chief.")
        return {}
    click.echo(found.leaderboard)
    if found.final is not None:
        click.echo(f"\n{found.final['verdict']}")
    best = found.folder / "best.yaml"
    click.echo(f"Report: {found.folder / 'report.html'}")
    click.echo(f"Next: tfadrec train --data {data} --config {best} --out ...")
    trials = [
        {k: trial[k] for k in ("trial", "status", "score", "values", "message")}
        for trial in found.leaderboard.trials
    ]
    return {
        "best": str(best),
        "run": str(found.run),
        "objective": found.leaderboard.objective,
        "direction": found.leaderboard.direction,
        "trials": trials,
        "final": found.final,
    }
