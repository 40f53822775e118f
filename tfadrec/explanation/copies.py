"""The language model of a run, for texts that no catalogue has."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.layers.text import AdEncoder
from tfadrec.training import Run
from tfadrec.training.text import text_model


def language_model(run: Run) -> tuple[Tokenizer, AdEncoder]:
    """What a run reads ad copy with.

    An encoder that was trained with the ranker is the ranker's.

    Args:
      run: of `training.load_run`.

    Raises:
      InputError: where the ranker reads no ad copy.
      TfadrecError: where the language model cannot be had.
    """
    if run.config.text is None:
        raise InputError(
            "texts are told apart by a ranker that reads ad copy. Received: a "
            "run with `text: null`. Train one with a language model."
        )
    tokenizer, encoder = text_model(run.config.text)
    return tokenizer, run.ranker.ad_tower.text or encoder


def encode(
    model: tuple[Tokenizer, AdEncoder], texts: Sequence[str]
) -> NDArray[np.float32]:
    """The vectors of some texts, float32 [n, W].

    Args:
      model: of `language_model`.
      texts: n of them.
    """
    tokenizer, encoder = model
    return np.asarray(encoder(tokenizer(texts)), np.float32)
