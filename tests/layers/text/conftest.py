"""A tiny BERT with random weights, and what it says of a few ads."""

import numpy as np
import pytest

from tests.layers.text.tiny_bert import CONFIG
from tfadrec.core.door import keras, tf


@pytest.fixture(scope="session")
def reference():
    """transformers' own model, with weights large enough to tell apart."""
    from transformers import BertConfig, TFBertModel

    keras.utils.set_random_seed(7)
    model = TFBertModel(BertConfig.from_dict(CONFIG), add_pooling_layer=False)
    model.build_in_name_scope()
    random = np.random.default_rng(7)
    for variable in model.weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    return model


@pytest.fixture(scope="session")
def batch():
    """Six ads of up to 12 tokens; the last has none."""
    random = np.random.default_rng(3)
    lengths = np.array([12, 1, 5, 9, 12, 0])
    return {
        "token_ids": random.integers(0, 50, (6, 12)).astype(np.int32),
        "token_mask": np.arange(12) < lengths[:, None],
    }


@pytest.fixture(scope="session")
def expected_mean(reference, batch):
    """Mean pooling written by hand over transformers' own output."""
    mask = batch["token_mask"]
    tokens = reference(
        input_ids=batch["token_ids"],
        attention_mask=tf.cast(mask, tf.int32),
    ).last_hidden_state.numpy()
    means = [
        row[real].mean(0) if real.any() else np.zeros(16)
        for row, real in zip(tokens, mask, strict=True)
    ]
    return np.stack(means)
