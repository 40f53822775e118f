"""Which layers belong in a place of a model."""

import dataclasses
from collections.abc import Collection
from typing import Any

from tfadrec.core.door import keras


@dataclasses.dataclass(frozen=True)
class Place:
    """What a model gives a layer in one place, and asks of it.

    Args:
      like: the name of a layer that belongs there, for messages.
      gives: names of the inputs that the layer may want; None where it reads a
        tensor.
      asks: attributes that the model reads.
      may_lack: whether the place may stay empty.
    """

    like: str
    gives: Collection[str] | None = None
    asks: Collection[str] = ()
    may_lack: bool = False


def require_layers(**given: tuple[Any, Place]) -> None:
    """Refuses what is no layer, or one that belongs in another place.

    Args:
      **given: by the names of the arguments, what was given and its place.

    Raises:
      ValueError: where one cannot be used there.
    """
    for name, (layer, place) in given.items():
        if layer is None and place.may_lack:
            continue
        if not isinstance(layer, keras.layers.Layer):
            shown = getattr(layer, "__name__", repr(layer))
            raise ValueError(
                f"`{name}` must be a layer that is made, such as "
                f"tfadrec.{place.like}. Received: {shown:.80}."
            )
        _require_fit(name, layer, place)


def _require_fit(name: str, layer: keras.layers.Layer, place: Place) -> None:
    """Refuses a layer that could not be called in its place."""
    what = type(layer).__name__
    lacks = [each for each in place.asks if not hasattr(layer, each)]
    if lacks:
        raise ValueError(
            f"`{name}` must be a layer such as tfadrec.{place.like}. Received: "
            f"{what}, which has no `{lacks[0]}`."
        )
    # A layer of others need not say what it wants.
    wants = getattr(layer, "wants", None)
    if wants is None or place.gives is None:
        return
    read = ["one tensor"] if isinstance(wants, str) else list(wants)
    if set(read) - set(place.gives):
        raise ValueError(
            f"`{name}` must be a layer such as tfadrec.{place.like}, which "
            f"reads some of {', '.join(place.gives)}. Received: {what}, which "
            f"reads {', '.join(read)}."
        )
