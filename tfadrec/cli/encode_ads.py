"""`tfadrec encode-ads`: a catalogue to a table of text vectors."""

import contextlib
from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow
from tfadrec.runs.before import check_encoding


@click.command("encode-ads", cls=Command)
@click.option(
    "--data",
    required=True,
    type=click.Path(),
    help="A dataset folder, or a Parquet file with ad_id, title, description "
    "and tags.",
)
@click.option(
    "--model",
    default="minilm",
    show_default=True,
    help="`minilm`, a model folder, or a name on the model hub.",
)
@click.option(
    "--pooling",
    default="mean",
    show_default=True,
    help="How the vectors of tokens become one.",
)
@click.option(
    "--max-tokens",
    default=64,
    show_default=True,
    help="Tokens that are read of an ad.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="What is computed in; the vectors are written as float32.",
)
@click.option(
    "--out", required=True, type=click.Path(), help="The folder to write to."
)
def encode_ads(
    data: str, model: str, pooling: str, max_tokens: int, dtype: str, out: str
) -> dict[str, Any]:
    """Turn ad copy into vectors: OUT/vectors.parquet and OUT/vectors.npy.

    An ad with the same copy as in an earlier call is not encoded again, and a
    killed call goes on where it stopped.

    \b
    Example:
      tfadrec encode-ads --data data/ml --dtype bfloat16 --out vectors/ml
    """
    text = {"model": model, "pooling": pooling, "max_tokens": max_tokens}
    check_encoding(data, text, out)
    load_tensorflow()
    import tensorflow as tf

    # A batch per core is faster than all cores on one batch. It is refused, and
    # does no harm, where this process has used TensorFlow before.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
    from tfadrec.data import Tokenizer, encode_catalogue
    from tfadrec.layers.text import load_encoder

    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[dtype]
    found = encode_catalogue(
        data,
        out,
        Tokenizer.from_pretrained(model, max_tokens=max_tokens),
        load_encoder(model, pooling=pooling, dtype=policy),
    )
    click.echo(
        f"{found['ads']:,} ads; {found['encoded']:,} texts encoded, the others "
        f"known; {found['cut']:,} ads cut at {max_tokens} tokens; "
        f"{found['seconds']:.1f} s"
    )
    click.echo(f"Vectors: {found['parquet']} and {found['npy']}")
    return found
