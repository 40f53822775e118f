"""Where a model's inputs become numbers, for explanations to read and move.

A layer hands what it has just read of a feature to `entering`, which gives it
back. Only inside `watching` does somebody else see it, and may give another
value back. So explanations need no second form of any layer.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

import tensorflow as tf

#: Called with the layer's name, the names of the features, and the value.
Watcher = Callable[[str, tuple[str, ...], tf.Tensor], tf.Tensor]

_WATCHER: contextvars.ContextVar[Watcher | None] = contextvars.ContextVar(
    "watcher", default=None
)
#: The name under which layers show how much they attend to each event.
ATTENTION = "attention"


@contextlib.contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Shows a watcher all that enters models, within this thread.

    Args:
      watcher: gives the value back, or another of the same shape.
    """
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def entering(
    layer: str, features: tuple[str, ...], value: tf.Tensor
) -> tf.Tensor:
    """What goes on in a layer in place of a value that it has read.

    Args:
      layer: the layer's name.
      features: of one feature that the value is of; or of as many as its last
        axis has places.
      value: float [..., n].

    Returns:
      The value, unless it is watched.
    """
    watcher = _WATCHER.get()
    return value if watcher is None else watcher(layer, features, value)


def attending(layer: str, weights: tf.Tensor) -> None:
    """Shows how much each event counts for each candidate.

    Args:
      layer: the layer's name.
      weights: float [B, C, T], or with an axis of heads [B, H, C, T].
    """
    entering(layer, (ATTENTION,), weights)
