"""TargetAttention by hand and against a NumPy loop."""

import numpy as np
import pytest

from tests.layers.behavior import reference
from tfadrec.core.door import tf
from tfadrec.layers import TargetAttention


def test_by_hand():
    # With kernels of one and d = 1: logits log 3 and 0, so weights 3/4, 1/4.
    inputs = {
        "events": tf.constant([[[np.log(3.0)], [0.0], [50.0]]]),
        "mask": tf.constant([[True, True, False]]),
        "target": tf.constant([[[1.0], [0.0]]]),
    }
    layer = TargetAttention(1)
    layer(inputs)
    layer.set_weights([np.ones([1, 1])] * 4)
    # The second candidate likes both the same.
    expected = [[[0.75 * np.log(3)], [0.5 * np.log(3)]]]
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-5)


def test_every_candidate_over_the_real_events():
    random = np.random.default_rng(0)
    events = random.normal(size=(3, 4, 6)).astype(np.float32)
    target = random.normal(size=(3, 2, 6)).astype(np.float32)
    mask = np.arange(4) < np.array([4, 2, 0])[:, None]
    inputs = {
        "events": tf.constant(np.where(mask[..., None], events, np.nan)),
        "mask": tf.constant(mask),
        "target": tf.constant(target),
    }
    layer = TargetAttention(3)
    layer(inputs)
    weights = reference.under(reference.fill(layer), "attention")
    outputs = layer(inputs)
    for b, c in np.ndindex(3, 2):
        expected = reference.attend(
            target[b, c], events[b, mask[b]], weights, 3
        )
        np.testing.assert_allclose(
            outputs[b, c], expected, rtol=1e-4, atol=1e-5
        )


def test_heads_have_to_share_out_the_width():
    events = tf.ones([1, 2, 6])
    inputs = {
        "events": events,
        "mask": tf.ones([1, 2], tf.bool),
        "target": events,
    }
    with pytest.raises(
        ValueError, match=r"divide the width.*Received: num_heads=4, width=6\."
    ):
        TargetAttention(4)(inputs)


def test_bad_num_heads():
    with pytest.raises(ValueError, match=r">= 1\. Received: num_heads=0\."):
        TargetAttention(0)
