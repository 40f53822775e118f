"""A model folder to the encoder of its kind."""

import os
from typing import Any

from tfadrec.core import pretrained
from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json
from tfadrec.layers.text import backbone
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.layers.text.bert_ad_encoder import BertAdEncoder
from tfadrec.layers.text.gpt2_ad_encoder import GPT2AdEncoder
from tfadrec.layers.text.llama_ad_encoder import LlamaAdEncoder
from tfadrec.layers.text.t5_ad_encoder import T5AdEncoder

_ENCODERS: dict[str, type[AdEncoder]] = {
    encoder.model_type: encoder
    for encoder in (
        BertAdEncoder,
        GPT2AdEncoder,
        T5AdEncoder,
        LlamaAdEncoder,
    )
}


def load_encoder(
    name_or_path: str | os.PathLike[str], **kwargs: object
) -> AdEncoder:
    """An encoder with trained weights, of the class that fits the model.

    Args:
      name_or_path: as in `tfadrec.core.pretrained.locate`.
      **kwargs: of the encoder, without `backbone_config`.

    Raises:
      TfadrecError: where the model cannot be had.
      InputError: where it is of a type that no encoder is for, or its weights
        do not fit it.
    """
    return _class_of(name_or_path).from_pretrained(name_or_path, **kwargs)


def make_encoder(
    name_or_path: str | os.PathLike[str], **kwargs: object
) -> AdEncoder:
    """The same without its weights, which are not read.

    Raises:
      TfadrecError: where the model cannot be had.
      InputError: where it is of a type that no encoder is for, or an argument
        does not fit it.
    """
    made = _class_of(name_or_path)
    folder = pretrained.locate(name_or_path)
    arguments: dict[str, Any] = dict(kwargs)
    return made(backbone.read_config(folder, made.model_type), **arguments)


def _class_of(name_or_path: str | os.PathLike[str]) -> type[AdEncoder]:
    """The class of encoder that fits a model."""
    path = pretrained.locate(name_or_path) / "config.json"
    try:
        config = read_json(path)
        found = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "A model's config.json must be readable JSON and name its "
            f"`model_type`. Received: {path}: {error!r}. Put a whole model "
            "folder there."
        ) from error
    if not isinstance(found, str) or found not in _ENCODERS:
        raise InputError(
            f"The model must be of a type of {', '.join(_ENCODERS)}. Received: "
            f"{found!r} in {path}. Name another model."
        )
    return _ENCODERS[found]
