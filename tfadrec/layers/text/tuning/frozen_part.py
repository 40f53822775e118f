"""Which weights of a language model a tuning leaves as they are."""

from collections.abc import Mapping

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.layers.text.architectures import Architecture
from tfadrec.layers.text.tuning.ways import LoRA, TopLayers, Tuning


def check_fits(tuning: Tuning, architecture: Architecture) -> None:
    """Refuses a tuning that the model has no room for.

    Raises:
      InputError: where it names matrices that the model does not have, or more
        blocks.
    """
    if isinstance(tuning, LoRA):
        unknown = set(tuning.targets) - set(architecture.matrices)
        if unknown:
            raise InputError(
                f"`targets` must be of {', '.join(architecture.matrices)}. "
                f"Received: {', '.join(sorted(unknown))}. Correct them."
            )
    if num_frozen_layers(tuning, architecture) < 0:
        raise InputError(
            "`top_layers` must be at most the blocks of the backbone, "
            f"{architecture.num_layers}. Received: {tuning}. Choose fewer."
        )


def num_frozen_layers(tuning: Tuning, architecture: Architecture) -> int:
    """Blocks below everything that is trained or added."""
    if tuning == "frozen":
        return architecture.num_layers
    if isinstance(tuning, TopLayers):
        return architecture.num_layers - tuning.k
    return 0


def frozen_names(
    tuning: Tuning,
    architecture: Architecture,
    weights: Mapping[str, tf.Variable],
) -> set[str]:
    """The names of the model's variables that are not trained.

    Args:
      tuning: how the model is tuned.
      architecture: of the model.
      weights: of the model, by their names in PyTorch's files.
    """
    if tuning == "full":
        return set()
    return {
        variable.name
        for name, variable in weights.items()
        if not _is_in_top(tuning, architecture, name)
    }


def _is_in_top(tuning: Tuning, architecture: Architecture, name: str) -> bool:
    """Whether a weight lies above the frozen blocks, without embeddings."""
    if not isinstance(tuning, TopLayers):
        return False
    block = architecture.block_of(name)
    if block is not None:
        return block >= num_frozen_layers(tuning, architecture)
    return name in architecture.top
