"""`tfadrec replay`: what updating a run every day is worth, on a log."""

from typing import Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    read_yaml_file,
    say,
)
from tfadrec.core.config import RunConfig
from tfadrec.runs.before import check_replay
from tfadrec.runs.read_config import read_config


@click.command(cls=Command)
@click.option(
    "--data", required=True, type=click.Path(), help="The dataset folder."
)
@click.option(
    "--config",
    type=click.Path(),
    help="YAML file with the settings; the defaults where it is left out.",
)
@click.option("--out", required=True, type=click.Path(), help="A new folder.")
@click.option(
    "--days",
    default=1.0,
    show_default=True,
    help="Length of a stretch that is scored and then learned.",
)
@click.option(
    "--first",
    default=0.5,
    show_default=True,
    help="The share of impressions to begin with.",
)
@click.option(
    "--epochs",
    default=1,
    show_default=True,
    help="Passes over the rows of an update at most.",
)
@click.option(
    "--rehearse",
    default=0.0,
    show_default=True,
    help="The share of the rows learned before that an update learns again.",
)
@click.option(
    "--rate",
    default=1.0,
    show_default=True,
    help="What the run's learning rate is multiplied by in an update.",
)
@allow_import_option
def replay(
    data: str,
    config: str | None,
    out: str,
    days: float,
    first: float,
    epochs: int,
    rehearse: float,
    rate: float,
    allow_import: tuple[str, ...],
) -> dict[str, Any]:
    """Replay a log, each day scored before it is learned.

    A run of the first part meets every day after it frozen, updated with the
    days so far, and trained again from nothing. Every ranker is a run folder in
    the new folder, so a replay that was killed goes on.

    \b
    Example:
      tfadrec replay --data data/shop --days 7 --out replays/shop
    """
    settings = RunConfig()
    if config is not None:
        settings = read_config(read_yaml_file("config", config))
    check_replay(data, settings, out, allow_import)
    load_tensorflow()
    from tfadrec import evaluation, training

    found = training.replay(
        data,
        settings,
        out,
        days=days,
        first=first,
        epochs=epochs,
        rehearse=rehearse,
        rate=rate,
        allow_import=allow_import,
    )
    sums = evaluation.replay_sums(found)
    say(evaluation.replay_table(found) + "\n")
    say(evaluation.replay_line(sums))
    return {"stretches": found, **sums}
