"""`tfadrec apply-delta`: an older version and a delta to the new version."""

from typing import Any

import click

from tfadrec import deltas
from tfadrec.cli.command import Command


@click.command(cls=Command)
@click.argument("old", type=click.Path())
@click.argument("delta", type=click.Path())
@click.option(
    "--out",
    required=True,
    type=click.Path(),
    help="Folder of the new version, which is not there yet.",
)
def apply_delta(old: str, delta: str, out: str) -> dict[str, Any]:
    """Make the new version of a bundle of version OLD and a DELTA.

    The delta is one that `tfadrec export --since` wrote. The new version is
    equal to the exported one, byte by byte, and every file is checked. Needs no
    TensorFlow.

    \b
    Example:
      tfadrec export runs/tuesday --out saved_models/a --since saved_models/a
      tfadrec apply-delta models/a/1 deltas/2 --out models/a/2
    """
    made = deltas.apply_delta(old, delta, out)
    click.echo(f"Version: {made}")
    return {"version": str(made)}
