"""`tfadrec explain`: what a run's scores are made of."""

from typing import Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    moved_data_option,
    say,
)
from tfadrec.core.errors import InputError
from tfadrec.runs.before import check_explained, check_run


@click.command(cls=Command)
@click.argument("run", type=click.Path())
@click.option("--user", help="A user id of the dataset.")
@click.option("--ad", help="An ad id of the catalogue.")
@click.option(
    "--copy",
    "copies",
    multiple=True,
    metavar="TEXT",
    help="A text to show in place of the ad's title; may be repeated.",
)
@click.option(
    "--task", help="What to explain  [default: the ranker's first task]."
)
@click.option(
    "--rows",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Without --user: how many validation rows are explained.",
)
@moved_data_option
@allow_import_option
def explain(
    run: str,
    user: str | None,
    ad: str | None,
    copies: tuple[str, ...],
    task: str | None,
    rows: int,
    data: str | None,
    allow_import: tuple[str, ...],
) -> dict[str, Any]:
    """Say what RUN's scores are made of.

    With --user and --ad it is one score, as of the end of the log: what each
    feature and each event of the history adds to it (integrated gradients).
    With --copy, texts are ranked in place of the ad's title, and each word
    tells what the score loses without it.
    Without them it is the validation rows in sum, and how much the ranker loses
    where a feature is that of another row.

    \b
    Example:
      tfadrec explain runs/a
      tfadrec explain runs/a --user 42 --ad 50
      tfadrec explain runs/a --user 42 --ad 50 --copy "Half price" --copy New
    """
    record = check_run(run, data, allow_import)
    if (user is None) != (ad is None):
        raise InputError(
            "a score is that of a user and an ad. Received: "
            f"{'--user' if ad is None else '--ad'} alone. Name both, or "
            "neither."
        )
    if copies and user is None:
        raise InputError(
            "copies are those of one ad, for one user. Received: --copy "
            "without --user and --ad. Name both."
        )
    if user is not None and ad is not None:
        check_explained(record, data, user, ad)
    load_tensorflow()
    from tfadrec import explanation, training

    loaded = training.load_run(run, data=data, allow_import=allow_import)
    if user is None or ad is None:
        summary = explanation.explain_run(loaded, rows=rows, task=task)
        say(explanation.summary_text(summary))
        return {"run": run, **summary.to_dict()}
    if copies:
        ranked = explanation.rank_creatives(loaded, user, ad, copies, task=task)
        say(explanation.creatives_text(ranked))
        return {"run": run, "user": user, "ad": ad, "copies": ranked}
    found = explanation.explain_request(loaded, user, ad, task=task)
    say(explanation.request_text(found))
    return {"run": run, **found}
