"""`tfadrec export`: a run to a bundle for TensorFlow Serving."""

import pathlib
from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow


@click.command(cls=Command)
@click.argument("run", type=click.Path())
@click.option(
    "--out",
    type=click.Path(),
    help="Folder of the model's versions  [default: saved_models/<run's name>]",
)
def export(run: str, out: str | None) -> dict[str, Any]:
    """Write a new version of a bundle, after checking that it scores alike.

    \b
    Example:
      tfadrec export runs/a --out saved_models/a
    """
    load_tensorflow()
    from tfadrec import serving, training

    loaded = training.load_run(run)
    name = pathlib.Path(run).absolute().name
    folder = serving.export_bundle(
        loaded.ranker, loaded.test, out or pathlib.Path("saved_models", name)
    )
    click.echo(f"Bundle: {folder}")
    return {"bundle": str(folder), "version": int(folder.name)}
