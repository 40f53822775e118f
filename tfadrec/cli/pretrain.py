"""`tfadrec pretrain`: the ad copy of a dataset to a language model."""

from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow, read_yaml_file
from tfadrec.core.config import read_settings
from tfadrec.core.errors import InputError


@click.command(cls=Command)
@click.option(
    "--data", required=True, type=click.Path(), help="The dataset folder."
)
@click.option(
    "--objective",
    type=click.Choice(["masked", "causal", "contrastive"]),
    help="What is learned  [default: masked, or the config's].",
)
@click.option(
    "--from",
    "model",
    help="Name or folder of the model to begin with  [default: minilm, or the "
    "config's].",
)
@click.option(
    "--config",
    type=click.Path(),
    help="YAML file with settings; the defaults where it is left out.",
)
@click.option("--out", required=True, type=click.Path(), help="A new folder.")
def pretrain(
    data: str,
    objective: str | None,
    model: str | None,
    config: str | None,
    out: str,
) -> dict[str, Any]:
    """Let a language model learn from ad copy, and go on where it was killed.

    The model lands in OUT/model with its tokenizer, for `text: {model: ...}` of
    a run's settings, and for transformers.

    \b
    Example:
      tfadrec pretrain --data data/ml --from minilm --objective masked \\
        --out runs/mlm
    """
    load_tensorflow()
    from tfadrec import training

    settings: dict[str, Any] = {}
    if config is not None:
        settings = read_settings(read_yaml_file("config", config))
    given = {"objective": objective, "model": model}
    settings |= {k: v for k, v in given.items() if v is not None}
    known = training.pretraining_settings()
    unknown = [str(name) for name in settings if name not in known]
    if unknown:
        raise InputError(
            f"the settings of pretrain are {', '.join(known)}. Received: "
            f"{', '.join(unknown)}."
        )
    done = training.pretrain(data, out, **settings)
    click.echo(
        f"{done.num_texts:,} distinct texts, {done.cut_share:.1%} cut; "
        f"{len(done.history)} epochs"
    )
    for name, before in done.before.items():
        click.echo(f"  {name} {before:.4f} before, {done.best[name]:.4f} after")
    click.echo(f"Model: {done.folder}")
    return {
        "model": str(done.folder),
        "texts": done.num_texts,
        "cut_share": done.cut_share,
        "before": done.before,
        "history": done.history,
    }
