"""Text encoders."""

import numpy as np

from tests.cases.arrays import mask_of, spec
from tests.conformance import Case
from tests.layers.text import tiny_models
from tfadrec import models
from tfadrec.core.door import tf
from tfadrec.layers import text

#: Of one block: `tests/layers/text` compares two with transformers' own.
BERT = {**tiny_models.BERT, "num_hidden_layers": 1}
GPT2 = {**tiny_models.GPT2, "n_layer": 1}
T5 = {**tiny_models.T5, "num_layers": 1}


def tokens(batch, length):
    return {
        "token_ids": np.random.default_rng(3)
        .integers(0, 50, [batch, length])
        .astype(np.int32),
        "token_mask": mask_of(batch, length),
    }


def garbled(inputs):
    ids = np.where(inputs["token_mask"], inputs["token_ids"], -7)
    return {**inputs, "token_ids": ids}


def case(encoder, config, **settings):
    return Case(
        lambda **kwargs: encoder(config, **settings, **kwargs),
        tokens,
        {
            "token_ids": spec(None, dtype=tf.int32),
            "token_mask": spec(None, dtype=tf.bool),
        },
        garbled,
    )


def part(encoder, config, **kwargs):
    """An encoder as a part of a model, in the model's precision."""
    return encoder(
        config,
        tuning="full",
        dropout=0.3,
        dtype=kwargs.get("dtype"),
        name="encoder",
    )


def language_model():
    return Case(
        lambda **kwargs: models.LanguageModel(
            part(text.GPT2AdEncoder, GPT2, **kwargs), **kwargs
        ),
        tokens,
        {
            "token_ids": spec(None, dtype=tf.int32),
            "token_mask": spec(None, dtype=tf.bool),
        },
        garbled,
    )


def contrastive_model():
    def pairs(batch, length):
        flat = tokens(2 * batch, length)
        return {k: v.reshape(batch, 2, length) for k, v in flat.items()}

    return Case(
        lambda **kwargs: models.ContrastiveModel(
            part(text.GPT2AdEncoder, GPT2, **kwargs),
            temperature=0.3,
            symmetric=True,
            **kwargs,
        ),
        pairs,
        {
            "token_ids": spec(2, None, dtype=tf.int32),
            "token_mask": spec(2, None, dtype=tf.bool),
        },
        garbled,
    )


CASES = {
    "BertAdEncoder": case(
        text.BertAdEncoder,
        BERT,
        pooling="attention",
        kept_layers=1,
        tuning=text.prefix(2),
        dropout=0.3,
    ),
    "GPT2AdEncoder": case(
        text.GPT2AdEncoder,
        GPT2,
        pooling="last_token",
        kept_layers=1,
        tuning=text.lora(
            2, 3.0, ["query", "contract"], final_rank=1, last_step=9
        ),
        dropout=0.3,
    ),
    "T5AdEncoder": case(
        text.T5AdEncoder,
        T5,
        pooling="cls",
        kept_layers=1,
        tuning=text.adapter(3),
        dropout=0.3,
    ),
    "LlamaAdEncoder": case(
        text.LlamaAdEncoder,
        tiny_models.LLAMA,
        pooling="last_token",
        kept_layers=1,
        tuning=text.lora(2, 3.0, ["value", "gate"]),
        dropout=0.3,
    ),
    "LanguageModel": language_model(),
    "ContrastiveModel": contrastive_model(),
}
