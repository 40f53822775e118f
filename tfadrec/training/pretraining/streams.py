"""Batches of token ids to learn from, and to measure on."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.data.copy import text_batches
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.training.pretraining.parts import Parts
from tfadrec.training.pretraining.settings import Settings


@dataclasses.dataclass(frozen=True)
class Streams:
    """The batches of a run.

    Args:
      learn: makes the endless stream of training, of `seed` and `first_step`.
      held: makes one pass over what is held out.
      count: texts, or pairs' first members, of one pass of training.
    """

    learn: Callable[..., tf.data.Dataset]
    held: Callable[[], tf.data.Dataset]
    count: int

    def steps(self, settings: Settings) -> int:
        """Steps between two measurements."""
        return settings.steps_per_epoch or max(
            1, self.count // settings.batch_size
        )


def streams_of(
    parts: Parts, tokenizer: Tokenizer, settings: Settings
) -> Streams:
    """The batches that the objective asks for.

    Raises:
      InputError: where the tokenizer lacks a token that they need.
    """
    ids = tokenizer.ids(parts.corpus.texts)

    def stream(make, places, **arguments):
        return _stream(make, ids, places, tokenizer, settings, arguments)

    if parts.near is not None:
        learn, held = parts.near
        every = np.arange(len(ids))
        return Streams(
            stream(text_batches.near_pairs, every, events=learn),
            stream(text_batches.near_pairs, every, events=held),
            len(learn.anchors),
        )
    make = {
        "masked": text_batches.masked_batches,
        "causal": text_batches.causal_batches,
        "contrastive": text_batches.equal_pairs,
    }[settings.objective]
    arguments = (
        {"share": settings.masked_share}
        if settings.objective == "masked"
        else {}
    )
    return Streams(
        stream(make, parts.learn, **arguments),
        stream(make, parts.held, **arguments),
        len(parts.learn),
    )


def _stream(
    make: Callable[..., tf.data.Dataset],
    ids: Sequence[Sequence[int]],
    places: np.ndarray,
    tokenizer: Tokenizer,
    settings: Settings,
    arguments: dict[str, Any],
) -> Callable[..., tf.data.Dataset]:
    """One of `text_batches`' functions over some texts; its order is open."""
    chosen = [ids[place] for place in places]
    return lambda **order: make(
        chosen, tokenizer, settings.batch_size, **arguments, **order
    )
