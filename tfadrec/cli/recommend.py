"""`tfadrec recommend`: the best ads for one user."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    moved_data_option,
    say,
)
from tfadrec.core.ranges import MOST
from tfadrec.runs.before import check_question, check_run

if TYPE_CHECKING:
    from tfadrec.data import Dataset


@click.command(cls=Command)
@click.argument("run", type=click.Path())
@click.option("--user", required=True, help="A user id; it may be a new one.")
@click.option(
    *("-k", "--k"),
    type=click.IntRange(1, MOST),
    default=10,
    show_default=True,
    help="How many ads.",
)
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
    _say_unknown(loaded.dataset, user, exclude)
    service = serving.RankingService(
        loaded.ranker, loaded.dataset, calibration=loaded.calibration
    )
    signatures = service.signatures("recommend")
    ask = serving.answers(service, signatures)["recommend"]
    found = serving.recommend(
        ask, loaded.dataset, user, k=k, exclude=exclude, seen=seen
    )
    for ad in found:
        tags = f"({ad['tags']})" if ad["tags"] else ""
        what = " ".join(filter(None, (ad["title"], tags)))
        line = f"{ad['rank']:>3}  {ad['pctr']:.3f}  {ad['ad_id']:<8} {what}"
        say(line.rstrip())
    return {"user": user, "recommendations": found}


def _say_unknown(dataset: "Dataset", user: str, exclude: Sequence[str]) -> None:
    """Prints a line for a user, and one for ads, that the dataset lacks."""
    schema = dataset.schema
    if schema.user_id(user) not in dataset.user_ids:
        say(f"No user {user} in the dataset: these are for a new user.")
    ads = dataset.catalogue.ad_ids
    unknown = [ad_id for ad_id in exclude if schema.ad_id(ad_id) not in ads]
    if unknown:
        say(
            f"No ad {', '.join(unknown)} in the dataset: --exclude leaves out "
            "nothing there."
        )
