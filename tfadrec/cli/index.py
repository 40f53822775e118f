"""`tfadrec index`: other ads for a bundle, without an export."""

import pathlib
import time
from typing import TYPE_CHECKING, Any

import click

from tfadrec.cli.command import Command, load_tensorflow, say
from tfadrec.core.errors import InputError
from tfadrec.data.dataset_files import DatasetFiles

if TYPE_CHECKING:
    from tfadrec.data import Catalogue


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
    help="The file's column of times from which on ads are not found, of a "
    "bundle whose ads expire  [default: expires_seconds, as in ads.parquet].",
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
@click.option(
    "--on",
    metavar="LABEL",
    default="canary",
    show_default=True,
    help="Label of the version that the new one is made of, and gets: stable "
    "takes an ad down at once from what is served.",
)
def index(
    bundle: str,
    add: str | None,
    replace: bool,
    expires: str | None,
    data: str | None,
    remove: tuple[str, ...],
    on: str,
) -> dict[str, Any]:
    """Write a version of a bundle with other ads, without building it anew.

    The bundle encodes new ads by their copy and columns. Ads that are removed
    are known still, in histories and where a client has them scored. Later
    versions leave them out as well, those of an export too, until they are
    added again.

    \b
    Example:
      tfadrec index saved_models/a --add new.parquet --data data/shop
      tfadrec index saved_models/a --add all.parquet --replace --data data/shop
      tfadrec index saved_models/a --remove a17 --remove gone.txt
      tfadrec index saved_models/a --remove a17 --on stable
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
    files = None if data is None else DatasetFiles(data)
    schema = None if files is None else files.schema()
    load_tensorflow()
    from tfadrec import serving
    from tfadrec.data import read_ad_ids, read_catalogue
    from tfadrec.data.odd_ads import odd_ads
    from tfadrec.serving.ad_expiry import EXPIRES, ads_expire
    from tfadrec.serving.change_ads import labelled_version

    version = labelled_version(pathlib.Path(bundle), on)
    gone = [i for each in remove for i in read_ad_ids(each)]
    catalogue = None
    if add is not None and files is not None and schema is not None:
        if expires is None and ads_expire(version):
            expires = EXPIRES
        catalogue = read_catalogue(add, schema, expires=expires)
        _say_expired(catalogue)
        for line in odd_ads(add, schema, files.table("ads")):
            say(line)
    made = serving.change_ads(
        bundle,
        add=catalogue,
        schema=schema,
        replace=replace,
        remove=gone,
        on=on,
    )
    if catalogue is not None and not replace:
        _say_kept(len(catalogue) - made.added, len(catalogue))
    if made.is_version:
        click.echo(
            f"Bundle: {made.folder}, with {made.added} ads more, "
            f"{made.replaced} replaced and {made.removed} removed."
        )
    else:
        click.echo(
            f"No new version, as {made.folder} is as it would be: no ad joins, "
            "changes or leaves."
        )
    if made.left_out:
        click.echo(
            f"{made.left_out} ads more are left out, as earlier calls of index "
            "took them down."
        )
    _say_given(pathlib.Path(bundle))
    return {
        "bundle": str(made.folder),
        "version": int(made.folder.name),
        "new_ads": made.added,
        "replaced_ads": made.replaced,
        "removed_ads": made.removed,
        "unknown_ads": made.unknown,
        "left_out_ads": made.left_out,
    }


def _say_expired(ads: "Catalogue") -> None:
    """Prints a line for ads of the file that are given no more already."""
    if ads.expires is None:
        return
    count = int((ads.expires <= time.time()).sum())
    if count:
        say(
            f"{count} of the file's {len(ads)} ads have expired already, and "
            "are not given."
        )


def _say_kept(kept: int, of_all: int) -> None:
    """Prints a line for ads of the file that the bundle does not take."""
    if kept:
        say(
            f"{kept} of the file's {of_all} ads are there already and stay as "
            "they are: --replace has those of the file take their place."
        )


def _say_given(bundle: pathlib.Path) -> None:
    """Prints a line for each label whose version gives what was taken down."""
    from tfadrec.serving.ad_record import some
    from tfadrec.serving.deployment import read_labels
    from tfadrec.serving.taken_down import still_given

    for label, version in read_labels(bundle).items():
        given = still_given(bundle, version)
        if given:
            say(
                f"Version {version}, {label}, still gives {len(given)} ads "
                f"that were taken down, such as {some(given)}: `tfadrec index "
                f"{bundle} --on {label} --remove ID` takes them from it."
            )
