"""A few ads, and what transformers' own tiny BERT says of them."""

import numpy as np
import pytest

from tests.layers.text import tiny_models
from tfadrec.core.door import tf


@pytest.fixture(scope="session")
def reference():
    return tiny_models.reference("bert")


@pytest.fixture(scope="session")
def batch():
    return tiny_models.batch()


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
