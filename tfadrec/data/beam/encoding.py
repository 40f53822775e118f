"""Ad copy encoded on the workers of a pipeline."""

import pathlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tfadrec.data.beam.beam_runner import BeamRunner
from tfadrec.data.copy.text_vectors import (
    EncodeParts,
    TextEncoder,
    part_encoder,
)
from tfadrec.data.copy.tokenizer import Tokenizer

#: Gives a tokenizer and its encoder in whatever process it is called in.
Load = Callable[[], tuple[Tokenizer, TextEncoder]]
#: Threads of a worker share one encoder.
_LOADING = threading.Lock()


def encode_in(
    runner: BeamRunner, load: Load, batch_tokens: int = 4096
) -> EncodeParts:
    """Encodes parts of texts in a pipeline.

    Args:
      runner: of the pipeline.
      load: can be pickled, as what workers are told.
      batch_tokens: as in `text_vectors`.
    """

    def encode_parts(
        parts: Sequence[Sequence[str]], scratch: pathlib.Path
    ) -> Iterator[np.ndarray]:
        (found,) = runner.run([_Encoding(parts, load, batch_tokens)], scratch)
        return found

    return encode_parts


class _Encoding:
    """The texts to encode; a process that does a piece loads the encoder."""

    def __init__(
        self, parts: Sequence[Sequence[str]], load: Load, batch_tokens: int
    ) -> None:
        self._parts, self._load = parts, load
        self._batch_tokens = batch_tokens
        self._encode: Callable[[Sequence[str]], np.ndarray] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _Encoding, (self._parts, self._load, self._batch_tokens)

    def pieces(self) -> Iterator[int]:
        """The parts' numbers."""
        return iter(range(len(self._parts)))

    def do(self, piece: int) -> Iterator[np.ndarray]:
        """The vectors of a part."""
        with _LOADING:
            if self._encode is None:
                self._encode = part_encoder(*self._load(), self._batch_tokens)
        yield self._encode(self._parts[piece])
