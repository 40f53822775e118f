"""Dropout: what it drops, and that a resumed run drops the same."""

import numpy as np
import pytest

from tfadrec.core.door import keras, tf
from tfadrec.layers import Dropout


def dropped(layer, steps=1, shape=(50, 40)):
    return [layer(tf.ones(shape), training=True).numpy() for _ in range(steps)]


def test_share_and_scale():
    [out] = dropped(Dropout(0.3, seed=1), shape=(300, 400))
    # Kept values are 1 / (1 - 0.3); the share kept is 0.7 within 5 sigma of
    # a binomial of 120,000 draws (sigma = 0.0013).
    np.testing.assert_allclose(np.unique(out), [0, 1 / 0.7], rtol=1e-6)
    assert abs((out > 0).mean() - 0.7) < 0.0066


def test_the_gradient_passes_where_the_value_passed():
    layer, inputs = Dropout(0.5, seed=1), tf.ones([20, 20])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        out = layer(inputs, training=True)
    np.testing.assert_allclose(tape.gradient(out, inputs), out)


def test_nothing_is_dropped_outside_of_training():
    layer, inputs = Dropout(0.9, seed=1), tf.random.normal([4, 5])
    layer(inputs)
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(inputs), inputs)
    np.testing.assert_array_equal(layer(inputs, training=False), inputs)
    np.testing.assert_array_equal(Dropout(0)(inputs, training=True), inputs)
    np.testing.assert_array_equal(layer.get_weights(), before)


def test_one_draw_for_the_last_axis():
    [out] = dropped(Dropout(0.5, broadcast_last=True, seed=1))
    rows = out > 0
    np.testing.assert_array_equal(rows.all(axis=1), rows.any(axis=1))
    assert 0.2 < rows[:, 0].mean() < 0.8


def test_steps_and_layers_differ():
    keras.utils.set_random_seed(0)
    one, other = Dropout(0.5), Dropout(0.5)
    first, second = dropped(one, 2)
    [elsewhere] = dropped(other)
    for a, b in ((first, second), (first, elsewhere), (second, elsewhere)):
        # Independent masks agree on half of the 2,000 places (sigma = 0.011).
        assert abs((a == b).mean() - 0.5) < 0.06


def test_the_random_seed_determines_the_masks():
    def draw(seed):
        keras.utils.set_random_seed(seed)
        return dropped(Dropout(0.5), 2)

    np.testing.assert_array_equal(draw(3), draw(3))
    assert (draw(3)[0] != draw(4)[0]).any()


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_checkpoint_repeats_the_masks(tmp_path, jit_compile):
    x = tf.ones([30, 30])

    def new(seed):
        keras.utils.set_random_seed(seed)
        layer = Dropout(0.5)
        layer.build(x.shape)
        return layer, tf.function(
            lambda: layer(x, training=True), jit_compile=jit_compile
        )

    layer, step = new(0)
    step()
    path = tf.train.Checkpoint(layer=layer).save(str(tmp_path / "c"))
    expected = [step().numpy() for _ in range(3)]
    assert (expected[0] != expected[1]).any()

    layer, step = new(1)
    tf.train.Checkpoint(layer=layer).restore(path).assert_consumed()
    np.testing.assert_array_equal([step() for _ in range(3)], expected)


def test_half_precision():
    layer = Dropout(0.5, seed=1, dtype="mixed_float16")
    out = layer(tf.ones([30, 30]), training=True)
    assert out.dtype == tf.float16
    np.testing.assert_array_equal(np.unique(out), [0, 2])


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5])
def test_bad_rates(rate):
    with pytest.raises(ValueError, match=rf"\[0, 1\)\. Received: rate={rate}"):
        Dropout(rate)
