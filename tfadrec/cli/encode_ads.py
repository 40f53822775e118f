"""`tfadrec encode-ads`: a catalogue to a table of text vectors."""

import contextlib
import functools
from typing import Any

import click

from tfadrec.cli.beam import beam_options, beam_runner
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
    help="`minilm`, `smollm2`, a model folder, or a name on the model hub.",
)
@click.option(
    "--pooling",
    default="mean",
    show_default=True,
    help="How the vectors of tokens become one.",
)
@click.option(
    "--kept-layers",
    type=int,
    help="Blocks of the model that are kept, the lowest ones; by default all.",
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
@beam_options
def encode_ads(
    data: str,
    model: str,
    pooling: str,
    kept_layers: int | None,
    max_tokens: int,
    dtype: str,
    out: str,
    runner: str,
    beam_arguments: tuple[str, ...],
) -> dict[str, Any]:
    """Turn ad copy into vectors: OUT/vectors.parquet and OUT/vectors.npy.

    An ad with the same copy as in an earlier call is not encoded again, and a
    killed call goes on where it stopped. With --runner beam, workers of a
    pipeline of Apache Beam encode; its options come after `--`.

    \b
    Example:
      tfadrec encode-ads --data data/ml --dtype bfloat16 --out vectors/ml
    """
    of_encoder = {"pooling": pooling, "kept_layers": kept_layers}
    text = {"model": model, **of_encoder, "max_tokens": max_tokens}
    check_encoding(data, text, out)
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[dtype]
    of_encoder["dtype"] = policy
    load = functools.partial(_load, model, max_tokens, of_encoder)
    with beam_runner(runner, beam_arguments) as beam:
        encode_parts = None
        if beam is not None:
            from tfadrec.data.beam.encoding import encode_in

            encode_parts = encode_in(beam, load)
        tokenizer, encoder = load()
        from tfadrec.data import encode_catalogue

        found = encode_catalogue(
            data, out, tokenizer, encoder, encode_parts=encode_parts
        )
    click.echo(
        f"{found['ads']:,} ads; {found['encoded']:,} texts encoded, the others "
        f"known; {found['cut']:,} ads cut at {max_tokens} tokens; "
        f"{found['seconds']:.1f} s"
    )
    click.echo(f"Vectors: {found['parquet']} and {found['npy']}")
    return found


def _load(model: str, max_tokens: int, of_encoder: dict[str, Any]):
    """The tokenizer and the encoder, in this process or in a worker."""
    load_tensorflow()
    import tensorflow as tf

    # A batch per core is faster than all cores on one batch. It is refused, and
    # does no harm, where this process has used TensorFlow before.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
    from tfadrec.data import Tokenizer
    from tfadrec.layers.text import load_encoder

    return (
        Tokenizer.from_pretrained(model, max_tokens=max_tokens),
        load_encoder(model, **of_encoder),
    )
