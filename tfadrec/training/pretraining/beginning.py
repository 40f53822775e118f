"""The weights and the tokenizer that a run begins with."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.core import pretrained
from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import keras
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.data.copy.train_tokenizer import train_tokenizer
from tfadrec.layers.text import AdEncoder, load_encoder, model_folder
from tfadrec.training.pretraining.checks import check_model_type
from tfadrec.training.pretraining.folders import language_model_folder
from tfadrec.training.pretraining.settings import Settings


@dataclasses.dataclass(frozen=True)
class Beginning:
    """A model that is going to learn.

    Args:
      folder: the model's, with its tokenizer.
      encoder: with the folder's weights, all of which are trained.
    """

    folder: pathlib.Path
    encoder: AdEncoder

    def tokenizer(self, max_tokens: int) -> Tokenizer:
        """The tokenizer of the folder.

        Args:
          max_tokens: at which a text is cut.

        Raises:
          InputError: where it is unreadable, or does not fit the model.
        """
        tokenizer = Tokenizer.from_pretrained(
            self.folder, max_tokens=max_tokens
        )
        tokenizer.check_fits(
            self.encoder.vocabulary_size, self.encoder.max_tokens
        )
        return tokenizer


def begin_with_given(settings: Settings) -> Beginning | None:
    """The model that the settings name; None where they describe a new one.

    Raises:
      TfadrecError: where the model cannot be had.
      InputError: where the objective is not for its type.
    """
    keras.utils.set_random_seed(settings.seed)
    if isinstance(settings.model, Mapping):
        return None
    folder = pretrained.locate(settings.model)
    return Beginning(folder, _load(folder, settings))


def begin_with_new(
    settings: Settings, folder: pathlib.Path, texts: Sequence[str]
) -> Beginning:
    """A new model, made in the folder or found there from an earlier call.

    Raises:
      InputError: where no tokenizer can be trained on the texts.
    """
    assert isinstance(settings.model, Mapping)
    if not language_model_folder(folder).is_made:
        _make(folder, settings.model, texts)
    keras.utils.set_random_seed(settings.seed)  # also where it was made before
    return Beginning(folder, _load(folder, settings))


def _make(
    folder: pathlib.Path, model: Mapping[str, Any], texts: Sequence[str]
) -> None:
    """Writes a model with new weights and a tokenizer of its own."""
    sizes = {"vocabulary_size": 8000, **model}
    kind, asked = sizes.pop("type"), sizes.pop("vocabulary_size")
    with language_model_folder(folder).replacing() as fresh, as_os_errors():
        count = train_tokenizer(
            texts, fresh, model_type=kind, vocabulary_size=asked
        )
        config = model_folder.new_config(kind, vocabulary_size=count, **sizes)
        encoder = model_folder.ENCODERS[kind](config)
        encoder.build(None)
        model_folder.save_model(fresh, encoder)


def _load(folder: pathlib.Path, settings: Settings) -> AdEncoder:
    """The encoder to train."""
    encoder = load_encoder(
        folder,
        name="text",
        tuning="full",
        pooling=settings.pooling,
        dropout=settings.dropout,
        dtype=settings.precision,
    )
    check_model_type(settings.objective, encoder.model_type)
    return encoder
