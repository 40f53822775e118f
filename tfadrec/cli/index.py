"""`tfadrec index`: other ads for a bundle, without an export."""

from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow, say
from tfadrec.core.errors import InputError
from tfadrec.data.dataset_files import DatasetFiles


@click.command(cls=Command)
@click.argument("bundle", type=click.Path())
@click.option(
    "--add",
    type=click.Path(),
    help="Parquet file of ads, with the columns of ads.parquet.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Have those of the file that the bundle has take the place of its "
    "own; else these stay as they are.",
)
@click.option(
    "--expires",
    metavar="COLUMN",
    help="The file's column of times from which on ads are not found; of a "
    "bundle that was exported with --expires.",
)
@click.option(
    "--data",
    type=click.Path(),
    help="Folder of the dataset that the bundle's run was trained on; beside "
    "--add.",
)
@click.option(
    "--remove",
    multiple=True,
    metavar="FILE|ID",
    help="An ad that is found no more, or a file of such: Parquet with a "
    "column ad_id, or text with an id a line. May be repeated.",
)
def index(
    bundle: str,
    add: str | None,
    replace: bool,
    expires: str | None,
    data: str | None,
    remove: tuple[str, ...],
) -> dict[str, Any]:
    """Write a version of a bundle with other ads, without building it anew.

    The bundle encodes new ads by their copy and columns. Ads that are removed
    are known still, in histories and where a client has them scored.

    \b
    Example:
      tfadrec index saved_models/a --add new.parquet --data data/shop
      tfadrec index saved_models/a --add all.parquet --replace --data data/shop
      tfadrec index saved_models/a --remove a17 --remove gone.txt
    """
    if add is None and not remove:
        raise InputError(
            "other ads are such that join or leave. Received: neither --add "
            "nor --remove. Give one of them."
        )
    if (add is None) != (data is None):
        raise InputError(
            "ads are read as the dataset's are. Received: one of --add and "
            "--data. Give both of them."
        )
    schema = None if data is None else DatasetFiles(data).schema()
    load_tensorflow()
    from tfadrec import serving
    from tfadrec.data import read_ad_ids, read_catalogue

    gone = [i for each in remove for i in read_ad_ids(each)]
    catalogue = None
    if add is not None and schema is not None:
        catalogue = read_catalogue(add, schema, expires=expires)
    made = serving.change_ads(
        bundle, add=catalogue, schema=schema, replace=replace, remove=gone
    )
    if catalogue is not None and not replace:
        _say_kept(len(catalogue) - made.added, len(catalogue))
    click.echo(
        f"Bundle: {made.folder}, with {made.added} ads more, {made.replaced} "
        f"replaced and {made.removed} removed."
    )
    return {
        "bundle": str(made.folder),
        "version": int(made.folder.name),
        "new_ads": made.added,
        "replaced_ads": made.replaced,
        "removed_ads": made.removed,
        "unknown_ads": made.unknown,
    }


def _say_kept(kept: int, of_all: int) -> None:
    """Prints a line for ads of the file that the bundle does not take."""
    if kept:
        say(
            f"{kept} of the file's {of_all} ads are there already and stay as "
            "they are: --replace has those of the file take their place."
        )
