"""Text encoders."""

import numpy as np

from tests.cases.arrays import mask_of, spec
from tests.conformance import Case
from tests.layers.text.tiny_bert import CONFIG
from tfadrec.core.door import tf
from tfadrec.layers import text


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


CASES = {
    "BertAdEncoder": Case(
        lambda **kwargs: text.BertAdEncoder(CONFIG, pooling="cls", **kwargs),
        tokens,
        {
            "token_ids": spec(None, dtype=tf.int32),
            "token_mask": spec(None, dtype=tf.bool),
        },
        garbled,
    ),
}
