"""What a function makes of the inputs of batches."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tfadrec.core.door import tf


def read_batches(
    function: Callable[[Mapping[str, tf.Tensor]], Any],
    batches: Iterable[tuple[Mapping[str, tf.Tensor], ...]],
) -> Iterator[tuple[Any, tuple[Mapping[str, tf.Tensor], ...]]]:
    """Calls a function on the inputs of each batch, as one graph.

    It is traced once, for batches of any size. As a `tf.function` it would be
    traced for the size of the first batch and again for that of the last one.

    Args:
      function: of a batch's inputs, name -> [B, ...], to tensors.
      batches: as from `Dataset.batches`, of the same names, dtypes and ranks.

    Yields:
      What the function gave, and the batch.
    """
    graph = None
    for batch in batches:
        if graph is None:
            sizes = {
                name: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)
                for name, tensor in batch[0].items()
            }
            traced = tf.function(function, autograph=False)
            graph = traced.get_concrete_function(sizes)
        yield graph(batch[0]), batch
