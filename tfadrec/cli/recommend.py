"""`tfadrec recommend`: the best ads for one user."""

from typing import Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    moved_data_option,
    say,
)
from tfadrec.runs.before import check_question, check_run


@click.command(cls=Command)
@click.argument("run", type=click.Path())
@click.option("--user", required=True, help="A user id; it may be a new one.")
@click.option("-k", "--k", default=10, show_default=True, help="How many ads.")
@click.option(
    "--exclude", multiple=True, help="An ad id to leave out; may be repeated."
)
@click.option(
    "--seen/--no-seen",
    default=False,
    show_default=True,
    help="Whether ads of the user's history may come again.",
)
@moved_data_option
@allow_import_option
def recommend(
    run: str,
    user: str,
    k: int,
    exclude: tuple[str, ...],
    seen: bool,
    data: str | None,
    allow_import: tuple[str, ...],
) -> dict[str, Any]:
    """Recommend ads to a user, as of the end of the log.

    \b
    Example:
      tfadrec recommend runs/a --user 42
    """
    record = check_run(run, data, allow_import)
    check_question(record, data, user, exclude)
    load_tensorflow()
    from tfadrec import serving, training

    loaded = training.load_run(run, data=data, allow_import=allow_import)
    service = serving.RankingService(
        loaded.ranker, loaded.dataset, calibration=loaded.calibration
    )
    signatures = service.signatures("recommend")
    ask = serving.answers(service, signatures)["recommend"]
    found = serving.recommend(
        ask, loaded.dataset, user, k=k, exclude=exclude, seen=seen
    )
    for ad in found:
        say(
            f"{ad['rank']:>3}  {ad['pctr']:.3f}  {ad['ad_id']:<8} "
            f"{ad['title']} ({ad['tags']})"
        )
    return {"user": user, "recommendations": found}
