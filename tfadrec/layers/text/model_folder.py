"""Folders of language models: new ones, and those that are written back."""

import os
import pathlib
from typing import Any

import transformers

from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.layers.text import backbone
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.layers.text.bert_ad_encoder import BertAdEncoder
from tfadrec.layers.text.gpt2_ad_encoder import GPT2AdEncoder
from tfadrec.layers.text.token_head import TokenHead

#: The encoders of the model types that are trained on texts alone.
ENCODERS: dict[str, type[AdEncoder]] = {
    "bert": BertAdEncoder,
    "gpt2": GPT2AdEncoder,
}


def new_config(
    model_type: str,
    *,
    vocabulary_size: int,
    width: int = 128,
    num_layers: int = 2,
    num_heads: int = 2,
    max_tokens: int = 64,
) -> dict[str, Any]:
    """The backbone config of a new model; what it does not say is the default.

    Args:
      model_type: `bert` or `gpt2`.
      vocabulary_size: rows of the token embedding table.
      width: D, a multiple of `num_heads`; the inner layers have 4 D.
      num_layers: blocks.
      num_heads: of each block.
      max_tokens: positions.

    Raises:
      InputError: where the sizes do not fit each other.
    """
    sizes = {
        "width": width,
        "num_layers": num_layers,
        "num_heads": num_heads,
        "max_tokens": max_tokens,
    }
    wrong = [k for k, v in sizes.items() if type(v) is not int or v < 1]
    if wrong or width % num_heads:
        raise InputError(
            "a new model needs integers >= 1, and `width` a multiple of "
            "`num_heads`. Received: "
            f"{', '.join(f'{k}={v!r}' for k, v in sizes.items())}."
        )
    if model_type == "bert":
        return {
            "model_type": "bert",
            "vocab_size": vocabulary_size,
            "hidden_size": width,
            "num_hidden_layers": num_layers,
            "num_attention_heads": num_heads,
            "intermediate_size": 4 * width,
            "max_position_embeddings": max_tokens,
        }
    return {
        "model_type": "gpt2",
        "vocab_size": vocabulary_size,
        "n_embd": width,
        "n_layer": num_layers,
        "n_head": num_heads,
        "n_positions": max_tokens,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }


def load_head(head: TokenHead, folder: str | os.PathLike[str]) -> bool:
    """Fills a built head from a model folder where that holds one.

    Returns:
      Whether it did; a file without any weight of a head leaves it new.

    Raises:
      InputError: where the file has only a part of a head, or one of another
        shape.
    """
    folder = pathlib.Path(folder)
    variables = head.named_weights
    if not variables or not backbone.holds_any(folder, variables):
        return False
    backbone.load_weights(
        variables,
        folder,
        prefix="bert",
        unused="",
        tied={"cls.predictions.decoder.bias": "cls.predictions.bias"},
    )
    return True


def save_model(
    folder: str | os.PathLike[str],
    encoder: AdEncoder,
    head: TokenHead | None = None,
) -> None:
    """Writes config.json and model.safetensors.

    `from_pretrained` of the encoder reads them, and so do transformers' classes
    (in TensorFlow's layout of weights).

    Args:
      folder: a folder that exists.
      encoder: a BERT or a GPT-2, built.
      head: is written beside the encoder, None for the encoder alone.

    Raises:
      InputError: for an encoder of another type, or one with an adapter or a
        prefix, which are no part of plain weights.
    """
    makers: dict[tuple[str, bool], type[transformers.TFPreTrainedModel]] = {
        ("bert", False): transformers.TFBertModel,
        ("bert", True): transformers.TFBertForMaskedLM,
        ("gpt2", False): transformers.TFGPT2Model,
        ("gpt2", True): transformers.TFGPT2LMHeadModel,
    }
    kind = encoder.model_type
    if kind not in ENCODERS:
        raise InputError(
            f"a model of type {' or '.join(ENCODERS)} can be saved. Received: "
            f"{kind!r}."
        )
    plain = (
        {"add_pooling_layer": False} if (kind, head) == ("bert", None) else {}
    )
    weights = encoder.merge()._named
    values = {**weights, **(head.named_weights if head else {})}
    with backbone.construction(keras.mixed_precision.Policy("float32")):
        whole = makers[kind, head is not None](
            encoder._architecture.config, **plain
        )
        whole.build_in_name_scope()
    for name, variable in backbone.by_name(whole, "").items():
        variable.assign(values[name])
    with as_os_errors():
        whole.save_pretrained(folder, safe_serialization=True)
