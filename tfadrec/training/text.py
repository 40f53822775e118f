"""The language model of a run's settings, and the ad copy as it reads it."""

from collections.abc import Mapping
from typing import Any

from tfadrec import layers, models
from tfadrec.core.errors import InputError
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.data.lower_layers import lower_layers
from tfadrec.data.text_vectors import encode_text
from tfadrec.data.tokenize import tokenize
from tfadrec.data.tokenizer import Tokenizer
from tfadrec.training.settings import TEXT


def with_text(dataset: Dataset, text: Mapping[str, Any] | None) -> Dataset:
    """The dataset with the ad copy as a column of its catalogue.

    The column holds vectors where the language model is frozen, and else the
    tokens, which a tower reads with an encoder that is trained.

    Args:
      dataset: any dataset.
      text: see `text_model`; None gives the dataset back as it is.

    Raises:
      InputError: where a setting is unknown, or the model cannot be had.
    """
    if text is None:
        return dataset
    tokenizer, encoder = text_model(text)
    catalogue = (
        tokenize(dataset.catalogue, tokenizer)
        if is_tuned(text)
        else encode_text(dataset.catalogue, tokenizer, encoder)
    )
    return dataset.with_catalogue(catalogue)


def text_model(
    text: Mapping[str, Any],
) -> tuple[Tokenizer, layers.text.AdEncoder]:
    """What the ad copy is read with: a tokenizer and its encoder.

    Args:
      text: `model` (a name or folder), and optionally `pooling`, `max_tokens`,
        `tuning`, `dropout` and `dtype`, those of the encoder.

    Raises:
      InputError: where a setting is unknown, or the model cannot be had.
    """
    settings = {**TEXT, **text}
    if set(settings) != set(TEXT) or "model" not in text:
        raise InputError(
            f"`text` takes {', '.join(TEXT)}, and needs model. Received: "
            f"{', '.join(map(str, text)) or 'nothing'}."
        )
    model, max_tokens = settings.pop("model"), settings.pop("max_tokens")
    try:
        encoder = layers.text.load_encoder(model, name="text", **settings)
        tokenizer = Tokenizer.from_pretrained(model, max_tokens=max_tokens)
    except InputError:
        raise
    except (TypeError, ValueError) as error:  # of Keras, for a wrong dtype
        raise InputError(f"`text`: {error}") from error
    tokenizer.check_fits(encoder.vocabulary_size, encoder.max_tokens)
    return tokenizer, encoder


def is_tuned(text: Mapping[str, Any]) -> bool:
    """Whether the language model is trained with the ranker."""
    return text.get("tuning", TEXT["tuning"]) != "frozen"


def keep_lower_layers(ranker: models.AdRanker, catalogue: Catalogue) -> None:
    """Has a ranker's encoder start from what its frozen layers gave once.

    Nothing is done where no layer is frozen whole.

    Args:
      ranker: built; one whose ad tower has a `text`.
      catalogue: its own, with tokens.
    """
    encoder, tokens = ranker.ad_tower.text, catalogue.tokens
    if tokens is not None and encoder.num_frozen_layers:
        path = lower_layers(tokens, encoder)
        ranker.ad_tower.read_lower_layers(path)
