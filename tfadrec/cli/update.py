"""`tfadrec update`: a run and a day's rows to the next run."""

import pathlib
import time
from typing import TYPE_CHECKING, Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    say_summary,
)
from tfadrec.cli.number import Number
from tfadrec.core.errors import InputError
from tfadrec.runs.before import check_run, check_update

if TYPE_CHECKING:
    from tfadrec.data.intake.summary import Summary
    from tfadrec.training import Run


@click.command(cls=Command)
@click.argument("run", type=click.Path())
@click.option(
    "--data",
    type=click.Path(),
    help="The dataset folder of the day's rows.",
)
@click.option(
    "--follow",
    type=click.Path(),
    help="A folder to which days come, learned in the order of their names: "
    "dataset folders, or with --config files.",
)
@click.option(
    "--config",
    type=click.Path(),
    help="YAML file of `prepare table`: each file of the folder takes the "
    "place of that of its impressions, and of all that it reads off that one.",
)
@click.option(
    "--once",
    is_flag=True,
    help="End when all that is in the followed folder is learned.",
)
@click.option(
    "--every",
    type=Number(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds until the followed folder is looked at again.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(),
    help="The new run folder; with --follow the folder of the new runs.",
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
@click.option(
    "--rate",
    default=1.0,
    show_default=True,
    help="What the run's learning rate is multiplied by.",
)
@allow_import_option
def update(
    run: str,
    data: str | None,
    follow: str | None,
    config: str | None,
    once: bool,
    every: float,
    out: str,
    epochs: int,
    rehearse: float,
    rate: float,
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
      tfadrec update runs/monday --follow days --out runs/days --once

    With --follow every day makes a run in the new folder, of the run before. A
    follower that was killed goes on where it was; each day is learned once. Put
    days into the folder by a rename, each with a greater name than the last. A
    day without a new row is passed over. With --json each run tells how many
    rows of its day joined, as `joined`, and with --config how many lines of its
    file were read, kept and rejected, as `log`.
    """
    if (data is None) == (follow is None):
        raise InputError(
            "an update learns one day or follows a folder. Received: "
            f"{'neither' if data is None else 'both'}. Name one of --data and "
            "--follow."
        )
    if follow is None and (config is not None or once):
        raise InputError(
            "--config and --once belong to --follow. Received: --data. Leave "
            "them out, or name a folder to follow."
        )
    settings: dict[str, Any] = {
        "epochs": epochs,
        "rehearse": rehearse,
        "rate": rate,
        "allow_import": allow_import,
    }
    if follow is not None:
        return _follow(run, follow, config, out, once, every, settings)
    assert data is not None
    check_update(run, data, out, **settings)
    load_tensorflow()
    from tfadrec import training

    told = _Told()
    updated = training.update(run, data, out, tell=told.joined, **settings)
    result = _measured(run, out, updated, allow_import) | told.taken()
    click.echo(f"\nNext: tfadrec evaluate {out}")
    return result


def _follow(
    run: str,
    folder: str,
    config: str | None,
    out: str,
    once: bool,
    every: float,
    settings: dict[str, Any],
) -> dict[str, Any]:
    check_run(run, allow_import=settings["allow_import"])
    load_tensorflow()
    from tfadrec import training

    prepared = None if config is None else f"{out}/rows"
    told = _Told()
    source = training.FolderSource(folder, config, prepared, told.log)
    learned = []
    while True:
        found = training.follow(run, source, out, tell=told.joined, **settings)
        for before, after, updated in found:
            click.echo(f"{after}:")
            allowed = settings["allow_import"]
            result = _measured(before, after, updated, allowed)
            learned.append(result | told.taken())
        if once:
            click.echo(f"Learned: {len(learned)} days of {folder}")
            return {"runs": learned}
        learned.clear()
        time.sleep(every)


class _Told:
    """What became of a day's rows: printed, and kept for its result."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def log(self, summary: "Summary") -> None:
        """As its file was read."""
        self._keep("log", summary)

    def joined(self, summary: "Summary") -> None:
        """As they were joined to the run's."""
        self._keep("joined", summary)

    def taken(self) -> dict[str, Any]:
        """What was kept since the last day; nothing of one joined before."""
        kept, self._kept = self._kept, {}
        return kept

    def _keep(self, name: str, summary: "Summary") -> None:
        say_summary(summary)
        self._kept[name] = summary.to_dict()


def _measured(
    run: str | pathlib.Path,
    out: str | pathlib.Path,
    updated: "Run",
    allow_import: tuple[str, ...],
) -> dict[str, Any]:
    """Both rankers on the last rows of the day."""
    from tfadrec import evaluation, training

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
    # A day has few rows: a table alone may tell what is chance.
    lines = evaluation.verdicts(
        "The updated ranker", found["updated"], {}, updated.test
    )
    for line in lines:
        click.echo(line)
    return {
        "run": str(out),
        "history": updated.history,
        "rows": facts,
        "metrics": {n: e.to_dict()["metrics"] for n, e in found.items()},
        "verdicts": lines,
    }
