"""`tfadrec prepare`: logs to a dataset folder."""

from collections.abc import Callable
from typing import Any

import click

from tfadrec.cli.beam import beam_options, beam_runner
from tfadrec.cli.command import Command, say_summary
from tfadrec.cli.heartbeat import heartbeat
from tfadrec.data import sources
from tfadrec.data.intake.summary import Summary

_out = click.option(
    "--out", required=True, type=click.Path(), help="The dataset folder."
)


@click.group()
def prepare() -> None:
    """Turn logs into a dataset folder.

    Rows that cannot be used are set aside in rejects.parquet, with source, line
    and reason, and counted.

    \b
    Example:
      tfadrec prepare movielens-100k --out data/ml
    """


@prepare.command("movielens-100k", cls=Command)
@_out
def movielens_100k(out: str) -> dict[str, Any]:
    """100,000 film ratings, fetched once and kept in the cache.

    \b
    Example:
      tfadrec prepare movielens-100k --out data/ml
    """
    return _run(sources.prepare_movielens_100k, out)


@prepare.command(cls=Command)
@click.option("--news", required=True, type=click.Path(), help="news.tsv")
@click.option(
    "--behaviors", required=True, type=click.Path(), help="behaviors.tsv"
)
@_out
def mind(news: str, behaviors: str, out: str) -> dict[str, Any]:
    """A pair of MIND files, as published.

    \b
    Example:
      tfadrec prepare mind --news news.tsv --behaviors behaviors.tsv \\
        --out data/mind
    """
    return _run(sources.prepare_mind, news, behaviors, out)


@prepare.command(cls=Command)
@click.option(
    "--config",
    required=True,
    type=click.Path(),
    help="YAML file that says which column is what.",
)
@click.option(
    "--like",
    type=click.Path(),
    help="A dataset whose vocabularies and statistics are kept.",
)
@click.option(
    "--log",
    type=click.Path(),
    help="A day's file, to join others: it takes the place of that of the "
    "impressions, and of all that is read off the same file.",
)
@_out
@beam_options
def table(
    config: str,
    like: str | None,
    log: str | None,
    out: str,
    runner: str,
    beam_arguments: tuple[str, ...],
) -> dict[str, Any]:
    """CSV, TSV, JSON Lines or Parquet files with a column mapping.

    With --runner beam, files are read and checked in a pipeline of Apache Beam,
    whose options come after `--`. With --log nothing need be clicked, and no
    note is made that holds of a log as a whole.

    \b
    Example:
      tfadrec prepare table --config examples/online_retail.yaml \\
        --out data/retail
    """
    with beam_runner(runner, beam_arguments) as beam:
        if beam is None:
            return _run(sources.prepare_table, config, out, like=like, log=log)
        from tfadrec.data.beam.reading import read_in

        read = read_in(beam)
        return _run(
            sources.prepare_table, config, out, like=like, log=log, read=read
        )


@prepare.command(cls=Command)
@_out
@click.option("--seed", type=int, default=0, show_default=True)
def synthetic(out: str, seed: int) -> dict[str, Any]:
    """A made-up world whose true click probabilities are known.

    \b
    Example:
      tfadrec prepare synthetic --out data/world --seed 0
    """
    return _run(sources.prepare_synthetic, out, seed)


def _run(prepare: Callable[..., Summary], *args, **named) -> dict[str, Any]:
    """Prepares a dataset, and shows what became of the rows."""
    with heartbeat("tfadrec.data"):
        summary = prepare(*args, **named)
    say_summary(summary)
    return summary.to_dict()
