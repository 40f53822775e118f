"""Groups of weights with optimisers of their own."""

import numpy as np
import pytest

from tfadrec.core.door import keras, tf
from tfadrec.optimizers import CompositeOptimizer, LazyAdam

SGD = keras.optimizers.SGD


def variables():
    return [
        tf.Variable([1.0, 1.0], name=name)
        for name in ("tower/embedding", "tower/kernel", "head/bias")
    ]


def step(optimizer, weights):
    gradients = [tf.ones_like(weight) for weight in weights]
    optimizer.apply_gradients(zip(gradients, weights, strict=True))
    return [float(weight[0]) for weight in weights]


def test_the_first_pattern_wins_and_the_rest_is_the_default():
    optimizer = CompositeOptimizer(
        {"embedding": SGD(0.5), "tower": SGD(0.25)}, SGD(0.125)
    )
    assert step(optimizer, variables()) == [0.5, 0.75, 0.875]


def test_the_rate_of_the_whole_scales_every_group():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [0], [0.5, 0.25]
    )
    optimizer = CompositeOptimizer({"embedding": SGD(schedule)}, SGD(0.125))
    weights = variables()
    optimizer.build(weights)
    optimizer.learning_rate = 0.5
    assert step(optimizer, weights) == [0.75, 0.9375, 0.9375]
    assert step(optimizer, weights) == [0.625, 0.875, 0.875]


def table_and_kernel():
    return [
        tf.Variable(np.ones([4, 2], np.float32), name="embedding"),
        tf.Variable([[1.0], [2.0]], name="kernel"),
    ]


def adams():
    return CompositeOptimizer(
        {"embedding": LazyAdam(0.1, weight_decay=0.01)}, LazyAdam(0.01)
    )


def train(weights, optimizer, steps):
    for number in steps:
        with tf.GradientTape() as tape:
            rows = tf.gather(weights[0], [number % 4, (number + 1) % 4])
            loss = tf.reduce_sum(tf.square(rows @ weights[1] - number))
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))


def test_a_restored_run_goes_on_alike(tmp_path):
    whole, optimizer = table_and_kernel(), adams()
    train(whole, optimizer, range(4))

    weights, optimizer = table_and_kernel(), adams()
    train(weights, optimizer, range(2))
    checkpoint = tf.train.Checkpoint(weights=weights, optimizer=optimizer)
    path = checkpoint.write(str(tmp_path / "saved"))

    weights, optimizer = table_and_kernel(), adams()
    optimizer.build(weights)
    checkpoint = tf.train.Checkpoint(weights=weights, optimizer=optimizer)
    checkpoint.read(path).assert_consumed()
    train(weights, optimizer, range(2, 4))
    for one, other in zip(weights, whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_model_trains_on_alike(tmp_path):
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Dense(3, name="first"),
        keras.layers.Dense(1, name="second"),
    ]
    model = keras.Sequential(layers)
    model.build([None, 2])
    model.compile(
        CompositeOptimizer({"first": LazyAdam(0.1)}, SGD(0.01)), "mse"
    )
    x, y = np.ones([4, 2], np.float32), np.ones([4, 1], np.float32)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    groups = loaded.optimizer.groups
    assert isinstance(groups["first"], LazyAdam)
    for each in (model, loaded):
        each.fit(x, y, verbose=0)
    for one, other in zip(
        loaded.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_under_loss_scaling():
    weights = variables()
    optimizer = keras.mixed_precision.LossScaleOptimizer(
        CompositeOptimizer({"embedding": SGD(0.5)}, SGD(0.25)),
        dynamic=False,
        initial_scale=8,
    )
    optimizer.get_scaled_loss(tf.constant(1.0))
    scaled = [tf.fill([2], 8.0) for _ in weights]
    gradients = optimizer.get_unscaled_gradients(scaled)
    optimizer.apply_gradients(zip(gradients, weights, strict=True))
    assert [float(weight[0]) for weight in weights] == [0.5, 0.75, 0.75]


def test_a_pattern_without_a_weight():
    optimizer = CompositeOptimizer({"text": SGD(0.5)}, SGD(0.25))
    with pytest.raises(ValueError, match=r"'text', and the weights tower/emb"):
        optimizer.build(variables())


SHARED = SGD(0.1)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"(": SGD(0.1)}, r"must be a regular expression. Received: '\('"),
        ({1: SGD(0.1)}, r"must be a regular expression. Received: 1"),
        ({"a": "sgd"}, r"a Keras optimiser of its own.*Received: 'sgd'"),
        ({"a": SHARED, "b": SHARED}, r"a Keras optimiser of its own"),
        ([SGD(0.1)], r"must give each pattern an optimiser"),
    ],
)
def test_bad_groups(groups, message):
    with pytest.raises(ValueError, match=message):
        CompositeOptimizer(groups, SGD(0.25))


def test_no_gradient_at_all():
    weights = variables()
    optimizer = CompositeOptimizer({"embedding": SGD(0.5)}, SGD(0.25))
    with pytest.raises(ValueError, match="needs a gradient"):
        optimizer.apply_gradients([(None, weight) for weight in weights])
