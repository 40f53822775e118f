"""IdEmbedding: what it reads, drops and penalises."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.layers import IdEmbedding


def filled(**arguments):
    layer = IdEmbedding(5, 2, **arguments)
    layer(tf.constant([0]))
    table = np.arange(15, dtype=np.float32).reshape(5, 3)
    layer.trainable_weights[0].assign(table)
    return layer, table


def test_rows():
    layer, table = filled()
    out = layer(tf.constant([[4, 0], [1, 4]]))
    np.testing.assert_array_equal(out["vector"], table[[[4, 0], [1, 4]], :2])
    np.testing.assert_array_equal(out["bias"], table[[[4, 0], [1, 4]], 2])


def test_every_id_begins_as_the_average():
    out = IdEmbedding(5, 2)(tf.range(5))
    np.testing.assert_array_equal(out["vector"], np.zeros([5, 2]))
    np.testing.assert_array_equal(out["bias"], np.zeros(5))


def test_l2_of_what_training_reads():
    layer, _ = filled(l2=0.5)
    layer(tf.constant([1, 2]), training=True)
    # Rows 1 and 2 hold 3..8: 0.5 / 2 (9 + 16 + 25 + 36 + 49 + 64).
    np.testing.assert_allclose(layer.losses, [49.75])
    layer(tf.constant([1, 2]))
    assert layer.losses == []


def test_vector_and_bias_are_dropped_together():
    layer, table = filled(dropout=0.5)
    kept = 0
    for _ in range(50):
        out = layer(tf.constant([3]), training=True)
        known = np.append(out["vector"], out["bias"])
        if known.any():
            np.testing.assert_array_equal(known, 2 * table[3])
            kept += 1
    assert 10 < kept < 40


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"num_rows": 0}, "num_rows=0"),
        ({"width": 0}, "width=0"),
        ({"l2": -0.1}, r"l2=-0\.1"),
    ],
)
def test_bad_arguments(arguments, received):
    with pytest.raises(ValueError, match=rf">= 1.*Received: .*{received}"):
        IdEmbedding(**{"num_rows": 1, "width": 1, **arguments})
