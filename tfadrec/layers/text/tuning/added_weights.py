"""The weights that a tuning adds to a language model's own."""

from collections.abc import Mapping
from typing import Any

from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.layers.building import built
from tfadrec.layers.text.architectures import Architecture
from tfadrec.layers.text.tuning.bottlenecks import Bottlenecks
from tfadrec.layers.text.tuning.low_rank import LowRank
from tfadrec.layers.text.tuning.prefixes import Prefixes
from tfadrec.layers.text.tuning.ways import Adapter, LoRA, Prefix, Tuning


def sublayer(block: int, matrix: str) -> str:
    """The name of a sublayer, by its last matrix."""
    return f"block_{block}/{matrix}"


def make_added(
    tuning: Tuning,
    architecture: Architecture,
    weights: Mapping[str, tf.Variable],
    policy: keras.mixed_precision.Policy,
) -> LowRank | Bottlenecks | Prefixes | None:
    """The layer with the added weights, built and named `added`.

    Args:
      tuning: how the model is tuned.
      architecture: of the model.
      weights: of the model, by their names in PyTorch's files.
      policy: the layer's dtype policy.

    Returns:
      `LowRank`, `Bottlenecks` or `Prefixes`, and None where nothing is added.
    """
    kwargs = {"name": "added", "dtype": policy}
    blocks = range(architecture.num_layers)
    if isinstance(tuning, LoRA):
        sizes = {
            (block, matrix): architecture.matrix_size(weights, block, matrix)
            for block in blocks
            for matrix in tuning.targets
        }
        return built(LowRank(sizes, tuning, **kwargs), None)
    if isinstance(tuning, Adapter):
        places = [
            sublayer(block, matrix)
            for block in blocks
            for matrix in ("output", "contract")
        ]
        made = Bottlenecks(places, architecture.width, tuning, **kwargs)
        return built(made, None)
    if isinstance(tuning, Prefix):
        _, width = architecture.matrix_size(weights, 0, "key")
        return built(Prefixes(len(blocks), width, tuning, **kwargs), None)
    return None


def saved_alone(tuning: Tuning, added: Any) -> list[tf.Variable]:
    """The weights without which an adapter would be another.

    Args:
      tuning: how the model is tuned.
      added: what `make_added` made for it.

    Raises:
      InputError: where nothing is added.
    """
    if added is None:
        raise InputError(
            "An adapter is what LoRA, adapter or prefix add to a model. "
            f"Received: tuning={tuning}. Save the whole encoder."
        )
    return list(added.adapter_weights())


def check_merges(tuning: Tuning) -> None:
    """Refuses what is no part of plain weights.

    Raises:
      InputError: for an adapter or a prefix.
    """
    if isinstance(tuning, Adapter | Prefix):
        raise InputError(
            "Only LoRA, and what was tuned itself, merges into plain "
            f"weights. Received: tuning={tuning}. Export the encoder "
            "as it is, or tune it with LoRA."
        )


def add_products(
    weights: Mapping[str, tf.Variable],
    architecture: Architecture,
    tuning: Tuning,
    added: Any,
) -> None:
    """Adds LoRA's products, if there are any, to the matrices beside them.

    Args:
      weights: of a model, by their names in PyTorch's files; they change.
      architecture: of the model.
      tuning: that of `check_merges`; LoRA's targets are the matrices.
      added: what `make_added` made for the tuning, `LowRank`.
    """
    if not isinstance(tuning, LoRA):
        return
    for block in range(architecture.num_layers):
        for matrix in tuning.targets:
            name = f"{architecture.matrix_name(block, matrix)}.weight"
            product = added.product((block, matrix))
            value = weights[name].numpy()
            value[:, architecture.columns(matrix)] += product.numpy()
            weights[name].assign(value)
