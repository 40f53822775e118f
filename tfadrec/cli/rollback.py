"""`tfadrec rollback`: the version that was stable is stable again."""

import pathlib
from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow


@click.command(cls=Command)
@click.argument("bundle", type=click.Path())
def rollback(bundle: str) -> dict[str, Any]:
    """Give the label stable of BUNDLE back to the version that had it before.

    \b
    Example:
      tfadrec rollback saved_models/a
    """
    load_tensorflow()
    from tfadrec import serving

    version = serving.roll_back(pathlib.Path(bundle))
    click.echo(f"Version {version} of {bundle} is stable again.")
    return {"bundle": bundle, "stable": version}
