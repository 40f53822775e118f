"""`tfadrec rollback`: a label leaves a version that is no good."""

import pathlib
from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow, say
from tfadrec.core.bundle_folder import version_numbers
from tfadrec.core.errors import InputError


@click.command(cls=Command)
@click.argument("bundle", type=click.Path())
@click.option(
    "--on",
    type=click.Choice(["stable", "canary"]),
    default="stable",
    show_default=True,
    help="Label that moves: stable to the version that had it before, canary "
    "to the stable version.",
)
def rollback(bundle: str, on: str) -> dict[str, Any]:
    """Give the label stable of BUNDLE back to the version that had it before.

    With `--on canary`, give up the canary, as after a bad `index --add`.

    \b
    Example:
      tfadrec rollback saved_models/a
      tfadrec rollback saved_models/a --on canary
    """
    load_tensorflow()
    from tfadrec import serving
    from tfadrec.serving.ad_record import some
    from tfadrec.serving.taken_down import still_given

    version = serving.roll_back(pathlib.Path(bundle), on=on)
    click.echo(f"Version {version} of {bundle} is {on} again.")
    _say_newest(bundle, version)
    try:
        given = still_given(pathlib.Path(bundle), version)
    except InputError as error:  # the label has moved
        given = ()
        say(f"Whether it gives ads that were taken down is not known: {error}")
    if given:
        say(
            f"It gives {len(given)} ads that were taken down since, such as "
            f"{some(given)}: `tfadrec index {bundle} --on {on} --remove ID` "
            "takes them from it."
        )
    return {"bundle": bundle, on: version}


def _say_newest(bundle: str, version: int) -> None:
    """Prints a line where requests without a label get another version."""
    from tfadrec.serving.deployment import read_labels

    newest = version_numbers(pathlib.Path(bundle))[-1]
    if newest == version:
        return
    if newest in read_labels(pathlib.Path(bundle)).values():
        say(f"Requests without a label get version {newest}, the newest one.")
    else:
        say(
            f"Version {newest} has no label now. Remove it (`rm -r {bundle}/"
            f"{newest}`), or `tfadrec serve` gives it to requests without a "
            "label, as the newest one."
        )
