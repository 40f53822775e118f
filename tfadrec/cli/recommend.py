"""`tfadrec recommend`: the best ads for one user."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    moved_data_option,
    say,
)
from tfadrec.core.errors import InputError
from tfadrec.core.moment_text import LATEST, moment_text
from tfadrec.core.ranges import MOST
from tfadrec.data.intake.times import read_ends
from tfadrec.runs.before import check_expiry, check_question, check_run

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
@click.option(
    "--now",
    metavar="TIME",
    help="The moment as of which ads have expired or not, where they do: ISO "
    "8601 or seconds since 1970, UTC  [default: now].",
)
@moved_data_option
@allow_import_option
def recommend(
    run: str,
    user: str,
    k: int,
    exclude: tuple[str, ...],
    seen: bool,
    now: str | None,
    data: str | None,
    allow_import: tuple[str, ...],
) -> dict[str, Any]:
    """Recommend ads to a user, as of the end of the log.

    Where `prepare` has read when ads expire, those that have are left out.

    \b
    Example:
      tfadrec recommend runs/a --user 42
      tfadrec recommend runs/a --user 42 --now 2026-03-01
    """
    record = check_run(run, data, allow_import)
    check_question(record, data, user, exclude)
    column = check_expiry(record, data)
    if now is not None and column is None:
        raise InputError(
            "a moment is asked for where ads expire. Received: --now "
            f"{now} for a dataset that `prepare` wrote without `expires`. "
            "Leave it out."
        )
    moment = int(time.time()) if now is None else _seconds(now)
    load_tensorflow()
    from tfadrec import serving, training
    from tfadrec.data import with_expiry

    loaded = training.load_run(run, data=data, allow_import=allow_import)
    dataset = loaded.dataset
    result: dict[str, Any] = {"user": user}
    if column is not None:
        dataset = with_expiry(dataset, column)
        result |= {
            "now_seconds": moment,
            "expired_ads": _say_expired(dataset, moment),
        }
    _say_unknown(dataset, user, exclude)
    service = serving.RankingService(
        loaded.ranker, dataset, calibration=loaded.calibration
    )
    signatures = service.signatures("recommend")
    ask = serving.answers(service, signatures)["recommend"]
    found = serving.recommend(
        *(ask, dataset, user),
        k=k,
        exclude=exclude,
        seen=seen,
        now_seconds=0 if column is None else moment,
    )
    for ad in found:
        tags = f"({ad['tags']})" if ad["tags"] else ""
        what = " ".join(filter(None, (ad["title"], tags)))
        line = f"{ad['rank']:>3}  {ad['pctr']:.3f}  {ad['ad_id']:<8} {what}"
        say(line.rstrip())
    return result | {"recommendations": found}


def _seconds(now: str) -> int:
    """A moment as seconds since 1970, at least 1, as 0 is the clock's."""
    (seconds,), (broken,) = read_ends(
        pa.chunked_array([[now]]), None, None, "--now"
    )
    if broken or not seconds.is_valid:
        raise InputError(
            "a moment is ISO 8601 or seconds since 1970. Received: --now "
            f"{now!r}. Write, for example, 2026-03-01T12:00."
        )
    moment = max(1, seconds.as_py())
    if moment >= LATEST:
        raise InputError(
            f"a moment is before the year 2200. Received: --now {now!r}. Name "
            "an earlier one."
        )
    return moment


def _say_expired(dataset: "Dataset", moment: int) -> int:
    """Prints how many ads have expired at a moment, and gives their number."""
    assert dataset.catalogue.expires is not None
    count = int((dataset.catalogue.expires <= moment).sum())
    say(
        f"{count} of {len(dataset.catalogue)} ads have expired by "
        f"{moment_text(moment)} (UTC) and are left out; --now asks as of "
        "another moment."
    )
    return count


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
