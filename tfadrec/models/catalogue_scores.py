"""What a retriever says of every ad of a catalogue."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.ops.best_products import best_products

#: Inputs of a batch, NumPy, to a score of each row for every ad, [B, N + 1].
Scores = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def catalogue_scores(retriever: Any) -> Scores:
    """Encodes the catalogue once, and scores all of it for users.

    Args:
      retriever: an `AdRetriever`.

    Returns:
      The inputs of a batch to float32 [B, N + 1], by row of the catalogue.
    """
    ads = retriever.catalogue_vectors()
    read = tf.function(lambda inputs: retriever(inputs)["user"])

    def scores(inputs):
        tensors = {name: tf.constant(v) for name, v in inputs.items()}
        return best_products(read(tensors).numpy(), ads)

    return scores
