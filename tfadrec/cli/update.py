"""`tfadrec update`: a run and a day's rows to the next run."""

from typing import Any

import click

from tfadrec.cli.command import Command, allow_import_option, load_tensorflow
from tfadrec.runs.before import check_update


@click.command(cls=Command)
@click.argument("run", type=click.Path())
@click.option(
    "--data",
    required=True,
    type=click.Path(),
    help="The dataset folder of the day's rows.",
)
@click.option(
    "--out", required=True, type=click.Path(), help="The new run folder."
)
@click.option(
    "--epochs",
    default=1,
    show_default=True,
    help="Passes over the rows at most.",
)
@click.option(
    "--rehearse",
    default=0.0,
    show_default=True,
    help="The share of the rows learned before that is learned again.",
)
@allow_import_option
def update(
    run: str,
    data: str,
    out: str,
    epochs: int,
    rehearse: float,
    allow_import: tuple[str, ...],
) -> dict[str, Any]:
    """Train RUN further on a day's rows, and write that as another run.

    The day is a dataset of the same features and labels, made by `tfadrec
    prepare`. New ads, users, values and event types join; the new run's folder
    holds the joined dataset. Both rankers are measured on the day's last rows.

    \b
    Example:
      tfadrec prepare table --config tuesday.yaml --out data/tuesday
      tfadrec update runs/monday --data data/tuesday --out runs/tuesday
    """
    check_update(run, data, out, epochs, rehearse, allow_import)
    load_tensorflow()
    from tfadrec import evaluation, training

    updated = training.update(
        run,
        data,
        out,
        epochs=epochs,
        rehearse=rehearse,
        allow_import=allow_import,
    )
    before = training.load_run(run, allow_import=allow_import)
    known = training.grow_vocabulary(
        before.ranker, before.dataset, updated.dataset
    )
    found = {
        "before": evaluation.evaluate(known, updated.test),
        "updated": evaluation.evaluate(updated.ranker, updated.test),
    }
    facts = evaluation.rows_facts(updated.test, updated.ranker.tasks[0])
    click.echo(f"{evaluation.rows_line('test', facts)}\n")
    click.echo(evaluation.standings(found))
    click.echo(f"\nNext: tfadrec evaluate {out}")
    return {
        "run": str(out),
        "history": updated.history,
        "rows": facts,
        "metrics": {n: e.to_dict()["metrics"] for n, e in found.items()},
    }
