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


def test_every_id_begins_near_the_average():
    """Apart from others, but by less than a learned one is."""
    out = IdEmbedding(5000, 2)(tf.range(5000))
    vectors = out["vector"].numpy()
    np.testing.assert_array_equal(vectors[0], [0.0, 0.0])
    np.testing.assert_allclose(vectors[1:].std(axis=0), 0.01, rtol=0.1)
    np.testing.assert_allclose(vectors.mean(axis=0), 0.0, atol=0.001)
    np.testing.assert_array_equal(out["bias"], np.zeros(5000))


def test_users_and_ads_that_are_known_by_ids_alone_are_learned():
    """Their product has a slope from the first step on."""
    users, ads = IdEmbedding(9, 4), IdEmbedding(9, 4)
    with tf.GradientTape() as tape:
        rows = tf.range(1, 9)
        product = users(rows)["vector"] * ads(rows)["vector"]
        total = tf.reduce_sum(product)
    slope = tf.convert_to_tensor(tape.gradient(total, users.table))
    assert np.abs(slope[1:, :-1]).min() > 0


def test_biases_are_set_before_training():
    layer = IdEmbedding(4, 2)
    layer.build(None)
    before = layer(tf.range(4))["vector"].numpy()
    layer.start_biases(np.array([0.0, 1.0, -2.0, 3.0]))
    out = layer(tf.range(4))
    np.testing.assert_array_equal(out["bias"], [0, 1, -2, 3])
    np.testing.assert_array_equal(out["vector"], before)


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


def test_slopes_are_read_with_the_rest_and_not_trained():
    layer, table = filled(num_slopes=3)
    assert len(layer.trainable_weights) == 1
    assert not layer(tf.constant([1]))["slopes"].numpy().any()
    slopes = np.arange(15, dtype=np.float32).reshape(5, 3) + 1
    layer.slopes.assign(slopes)
    out = layer(tf.constant([[4, 2]]))
    np.testing.assert_array_equal(out["slopes"], slopes[[[4, 2]]])
    np.testing.assert_array_equal(out["vector"], table[[[4, 2]], :2])
    np.testing.assert_array_equal(out["bias"], table[[[4, 2]], 2])


def test_slopes_are_not_dropped():
    """What was fitted beside them would be moved for rows without them."""
    layer, _ = filled(num_slopes=1, dropout=0.5)
    layer.slopes.assign(np.ones([5, 1]))
    out = layer(tf.ones([200], tf.int32), training=True)
    assert 50 < (out["bias"].numpy() > 0).sum() < 150
    np.testing.assert_array_equal(out["slopes"], np.ones([200, 1]))


def test_a_size_below_what_it_may_be_is_refused():
    with pytest.raises(ValueError, match="num_slopes=-1"):
        IdEmbedding(5, 2, num_slopes=-1)
