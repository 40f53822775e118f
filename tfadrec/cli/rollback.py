"""`tfadrec rollback`: the version that was stable is stable again."""

import pathlib
from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow, say


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
    from tfadrec.serving.ad_record import some, still_given

    version = serving.roll_back(pathlib.Path(bundle))
    click.echo(f"Version {version} of {bundle} is stable again.")
    given = still_given(pathlib.Path(bundle), version)
    if given:
        say(
            f"It gives {len(given)} ads that were taken down since, such as "
            f"{some(given)}: `tfadrec index {bundle} --on stable --remove ID` "
            "takes them from it."
        )
    return {"bundle": bundle, "stable": version}
