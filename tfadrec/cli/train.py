"""`tfadrec train`: a dataset folder to a run folder."""

from typing import Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    read_yaml_file,
)
from tfadrec.core.config import RunConfig
from tfadrec.runs.before import check_training


@click.command(cls=Command)
@click.option(
    "--data", required=True, type=click.Path(), help="The dataset folder."
)
@click.option(
    "--config",
    type=click.Path(),
    help="YAML file with the settings; the defaults where it is left out.",
)
@click.option("--out", required=True, type=click.Path(), help="The run folder.")
@allow_import_option
def train(
    data: str, config: str | None, out: str, allow_import: tuple[str, ...]
) -> dict[str, Any]:
    """Train a ranker, and go on with it where a run was killed.

    The run folder holds the model with its best weights, the settings, the
    metrics of each epoch, and TensorBoard's logs.

    \b
    Example:
      tfadrec train --data data/ml --config examples/din_bert.yaml --out runs/a
    """
    settings = RunConfig()
    if config is not None:
        settings = RunConfig.from_yaml(read_yaml_file("config", config))
    schema = check_training(data, settings, out, allow_import)
    load_tensorflow()
    from tfadrec import serving, training

    serving.check_servable(schema)
    run = training.train(data, settings, out, allow_import=allow_import)
    click.echo(f"{len(run.history)} epochs; the best has")
    for name, value in run.best.items():
        click.echo(f"  {name} {value:.4f}")
    click.echo(f"Next: tfadrec evaluate {out}")
    return {"run": str(out), "history": run.history}
