"""Learning rates that fall from the last block of a language model down."""

import re
from typing import Any

from tfadrec.optimizers.lazy_adam import LazyAdam


def layerwise_decay(
    encoder: Any, learning_rate: float, decay: float, **kwargs: Any
) -> dict[str, LazyAdam]:
    """Groups of an encoder's weights for `CompositeOptimizer`.

    What lies above the last block has the rate itself, the last block the rate
    times the decay, the one before it that times the decay again, and so on to
    the embeddings.

    Args:
      encoder: a built text encoder; its trained weights are grouped.
      learning_rate: > 0.
      decay: in (0, 1].
      **kwargs: of each group's `LazyAdam`, as `weight_decay`.

    Returns:
      Pattern of names -> optimiser, one for each depth with trained weights.

    Raises:
      ValueError: where the decay lies outside (0, 1], or nothing is trained.

    Example:
      groups = layerwise_decay(encoder, 5e-5, 0.9, weight_decay=0.01)
      optimizer = CompositeOptimizer(groups, LazyAdam(1e-3))

    Reference:
      Howard and Ruder, "Universal language model fine-tuning", ACL 2018,
      section 3.2; Clark et al., "ELECTRA", ICLR 2020, appendix B.
    """
    if not 0 < decay <= 1:
        raise ValueError(
            f"`decay` must lie in (0, 1]. Received: decay={decay!r}."
        )
    names: dict[int, list[str]] = {}
    for variable in encoder.trainable_weights:
        name = variable.name.partition(":")[0]
        names.setdefault(encoder.depth_of(variable), []).append(name)
    if not names:
        raise ValueError(
            "an encoder must have weights to train. Received: one with "
            f"tuning={encoder.tuning}. Choose another tuning."
        )
    top = encoder.num_layers + 1
    return {
        f"^({'|'.join(map(re.escape, own))})$": LazyAdam(
            learning_rate * decay ** (top - depth), **kwargs
        )
        for depth, own in sorted(names.items())
    }
