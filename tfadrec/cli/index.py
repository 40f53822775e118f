"""`tfadrec index`: more ads for a bundle, without an export."""

from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow
from tfadrec.data.dataset_files import DatasetFiles


@click.command(cls=Command)
@click.argument("bundle", type=click.Path())
@click.option(
    "--add",
    required=True,
    type=click.Path(),
    help="Parquet file of ads, with the columns of ads.parquet.",
)
@click.option(
    "--data",
    required=True,
    type=click.Path(),
    help="Folder of the dataset that the bundle's run was trained on.",
)
def index(bundle: str, add: str, data: str) -> dict[str, Any]:
    """Write a version of a bundle with more ads, without building it anew.

    The bundle encodes the ads by their copy and columns. Those that it has
    stay as they are.

    \b
    Example:
      tfadrec index saved_models/a --add new.parquet --data data/shop
    """
    schema = DatasetFiles(data).schema()
    load_tensorflow()
    from tfadrec import serving
    from tfadrec.data import read_catalogue

    folder, count = serving.add_ads(bundle, read_catalogue(add, schema), schema)
    click.echo(f"Bundle: {folder}, with {count} ads more.")
    return {
        "bundle": str(folder),
        "version": int(folder.name),
        "new_ads": count,
    }
