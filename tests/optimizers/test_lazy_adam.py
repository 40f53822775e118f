"""LazyAdam against NumPy for sparse rows, against Keras for dense weights."""

import numpy as np
import pytest

from tfadrec import optimizers
from tfadrec.core.door import keras, tf

ROWS, WIDTH, LR = 7, 3, 0.1
#: Steps of (rows read, with repeats and in any order).
STEPS = [[4, 1, 4], [1, 1, 1], [6], [0, 4, 1, 6]]


def gradients():
    random = np.random.default_rng(0)
    return [
        random.normal(size=(len(rows), WIDTH)).astype(np.float32)
        for rows in STEPS
    ]


def start():
    random = np.random.default_rng(1)
    return random.normal(size=(ROWS, WIDTH)).astype(np.float32)


def reference(beta_1=0.9, beta_2=0.999, epsilon=1e-7, decay=0.0):
    """The formula on the rows that a step reads, in float64."""
    w = start().astype(np.float64)
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, (rows, values) in enumerate(
        zip(STEPS, gradients(), strict=True), start=1
    ):
        for row in set(rows):
            g = values[np.array(rows) == row].astype(np.float64).sum(axis=0)
            m[row] = beta_1 * m[row] + (1 - beta_1) * g
            v[row] = beta_2 * v[row] + (1 - beta_2) * g**2
            rate = LR * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
            decayed = LR * decay * w[row]
            w[row] -= rate * m[row] / (np.sqrt(v[row]) + epsilon) + decayed
    return w, m, v


def sparse(rows, values):
    return tf.IndexedSlices(
        tf.convert_to_tensor(values), tf.convert_to_tensor(rows), [ROWS, WIDTH]
    )


def moments(optimizer):
    """The moments of the only weight, by kind."""
    return {
        "m": optimizer._momentums[0].numpy(),
        "v": optimizer._velocities[0].numpy(),
    }


@pytest.mark.parametrize(
    ("how", "decay"),
    [
        *(("eager", None), ("eager", 0.5), ("function", None)),
        *(("function", 0.5), ("xla", 0.5)),
        pytest.param("xla", None, marks=pytest.mark.slow),
    ],
)
def test_sparse_rows_follow_the_formula(how, decay):
    weight = tf.Variable(start(), name="table")
    optimizer = optimizers.LazyAdam(LR, weight_decay=decay)
    optimizer.build([weight])

    def step(rows, values):
        optimizer.apply_gradients([(sparse(rows, values), weight)])

    if how != "eager":
        spec = tf.TensorSpec([None], tf.int32)
        values = tf.TensorSpec([None, WIDTH])
        step = tf.function(
            step, input_signature=[spec, values], jit_compile=how == "xla"
        )
    for rows, values in zip(STEPS, gradients(), strict=True):
        step(tf.constant(rows), tf.constant(values))
    w, m, v = reference(decay=decay or 0.0)
    np.testing.assert_allclose(weight.numpy(), w, atol=1e-5)
    found = moments(optimizer)
    np.testing.assert_allclose(found["m"], m, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["v"], v, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("decay", [None, 0.5])
def test_rows_that_are_not_read_stay_and_keep_their_moments(decay):
    weight = tf.Variable(start(), name="table")
    optimizer = optimizers.LazyAdam(LR, weight_decay=decay)
    optimizer.apply_gradients([(sparse([2], np.ones([1, 3], "f4")), weight)])
    kept, before = weight.numpy(), moments(optimizer)
    assert (before["m"][2] != 0).all()
    optimizer.apply_gradients([(sparse([5], np.ones([1, 3], "f4")), weight)])
    others = [0, 1, 2, 3, 4, 6]
    np.testing.assert_array_equal(weight.numpy()[others], kept[others])
    assert (weight.numpy()[5] != kept[5]).all()
    for kind, values in moments(optimizer).items():
        np.testing.assert_array_equal(values[others], before[kind][others])


def test_a_step_never_goes_over_a_whole_table():
    """Every operation on the three tables is one on rows."""
    weight = tf.Variable(start())
    optimizer = optimizers.LazyAdam(LR, weight_decay=0.5, clipnorm=1.0)
    optimizer.build([weight])

    @tf.function
    def step():
        gradient = sparse([2, 2], np.ones([2, WIDTH], "f4"))
        optimizer.apply_gradients([(gradient, weight)])

    tables = [weight, optimizer._momentums[0], optimizer._velocities[0]]
    captures = step.get_concrete_function().graph.captures
    for table in tables:
        (inside,) = (i for o, i in captures if o is table.handle)
        kinds = {op.type for op in inside.consumers()}
        assert kinds == {"ResourceGather", "ResourceScatterUpdate"}


def test_xla_is_kept_from_gradients_whose_size_changes(monkeypatch):
    """Keras compiles updates on a GPU, once per shape of the gradient."""
    compiled = []
    monkeypatch.setattr(
        keras.optimizers.Adam,
        "_update_step_xla",
        lambda _self, gradient, *_: compiled.append(type(gradient)),
    )
    table, dense = (tf.Variable(start()) for _ in range(2))
    optimizer = optimizers.LazyAdam(LR)
    optimizer.jit_compile = True
    rows = sparse([1], np.ones([1, WIDTH], "f4"))
    whole = tf.constant(start())
    optimizer.apply_gradients([(rows, table), (whole, dense)])
    assert len(compiled) == 1
    assert issubclass(compiled[0], tf.Tensor)
    assert (table.numpy()[1] != start()[1]).all()


@pytest.mark.parametrize("decay", [None, 0.5])
def test_dense_gradients_are_updated_as_in_adam(decay):
    ours, theirs = (tf.Variable(start()) for _ in range(2))
    settings = {
        "learning_rate": 0.05,
        "beta_1": 0.8,
        "beta_2": 0.95,
        "weight_decay": decay,
    }
    lazy = optimizers.LazyAdam(**settings)
    adam = keras.optimizers.Adam(**settings)
    random = np.random.default_rng(2)
    for _ in range(4):
        gradient = random.normal(size=(ROWS, WIDTH)).astype(np.float32)
        lazy.apply_gradients([(tf.constant(gradient), ours)])
        adam.apply_gradients([(tf.constant(gradient), theirs)])
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    assert (ours.numpy() != start()).all()


def test_all_rows_read_is_adam():
    """With every row in every step there is nothing to be lazy about."""
    ours, theirs = (tf.Variable(start()) for _ in range(2))
    lazy, adam = optimizers.LazyAdam(LR), keras.optimizers.Adam(LR)
    random = np.random.default_rng(3)
    for _ in range(3):
        gradient = random.normal(size=(ROWS, WIDTH)).astype(np.float32)
        lazy.apply_gradients([(sparse(list(range(ROWS)), gradient), ours)])
        adam.apply_gradients([(tf.constant(gradient), theirs)])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize("how", ["rows", "dense"])
def test_weights_can_be_left_out_of_the_decay(how):
    """With a gradient of zero, the decay is all that moves a weight."""
    decayed = tf.Variable(start(), name="kernel")
    left = [tf.Variable(start(), name=name) for name in ("bias", "norm/gamma")]
    optimizer = optimizers.LazyAdam(LR, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma$|gamma:"])
    zeros = np.zeros([ROWS, WIDTH], "f4")
    gradient = (
        sparse(list(range(ROWS)), zeros)
        if how == "rows"
        else tf.zeros_like(zeros)
    )
    optimizer.apply_gradients([(gradient, w) for w in (decayed, *left)])
    # w - lr L w = w (1 - 0.1 * 0.5)
    np.testing.assert_allclose(decayed.numpy(), 0.95 * start(), rtol=1e-6)
    for weight in left:
        np.testing.assert_array_equal(weight.numpy(), start())


def test_a_schedule_is_followed():
    weight = tf.Variable(start())
    schedules = keras.optimizers.schedules
    schedule = schedules.PiecewiseConstantDecay([0], [0.5, 0.0])
    optimizer = optimizers.LazyAdam(schedule)
    one = sparse([0], np.ones([1, WIDTH], "f4"))
    optimizer.apply_gradients([(one, weight)])
    moved = weight.numpy()
    # The first step of Adam is the learning rate against the sign.
    np.testing.assert_allclose(moved[0], start()[0] - 0.5, atol=1e-5)
    optimizer.apply_gradients([(one, weight)])
    np.testing.assert_array_equal(weight.numpy(), moved)


def test_loss_scaling_gives_the_same_step_and_skips_overflow():
    weight = tf.Variable(start())
    optimizer = keras.mixed_precision.LossScaleOptimizer(
        optimizers.LazyAdam(LR), initial_scale=1024.0
    )

    @tf.function
    def step(factor):
        with tf.GradientTape() as tape:
            read = tf.cast(tf.gather(weight, [3, 3, 1]), tf.float16)
            loss = tf.cast(tf.reduce_sum(read), tf.float32) * factor
            scaled = optimizer.get_scaled_loss(loss)
        gradients = tape.gradient(scaled, [weight])
        unscaled = optimizer.get_unscaled_gradients(gradients)
        optimizer.apply_gradients(zip(unscaled, [weight], strict=True))

    step(1.0)
    moved = weight.numpy()
    expected = start()
    expected[[1, 3]] -= LR
    np.testing.assert_allclose(moved, expected, rtol=1e-3, atol=1e-5)
    step(np.inf)
    np.testing.assert_array_equal(weight.numpy(), moved)
    assert float(optimizer.loss_scale) == 512.0


def test_config_round_trip():
    optimizer = optimizers.LazyAdam(
        0.02, 0.8, 0.9, 1e-5, weight_decay=0.01, clipnorm=1.0
    )
    config = optimizer.get_config()
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is optimizers.LazyAdam
    assert again.get_config() == config
    assert config["beta_1"] == 0.8
    assert config["clipnorm"] == 1.0
    assert config["weight_decay"] == 0.01
    assert config["learning_rate"] == np.float32(0.02)


@pytest.mark.parametrize("argument", ["adaptive_epsilon", "amsgrad", "use_ema"])
def test_what_needs_every_row_is_refused(argument):
    with pytest.raises(ValueError, match=f"Received: {argument}=True. Use"):
        optimizers.LazyAdam(**{argument: True})
    assert argument not in optimizers.LazyAdam(**{argument: False}).get_config()


def test_a_negative_decay_is_refused():
    with pytest.raises(ValueError, match=r">= 0. Received: weight_decay=-0.1"):
        optimizers.LazyAdam(weight_decay=-0.1)


@pytest.mark.parametrize("in_graph", [False, True])
def test_accumulated_batches_are_one_large_batch(in_graph):
    random = np.random.default_rng(0)
    rows = random.normal(size=[24, 3]).astype(np.float32)
    labels = random.normal(size=[24, 1]).astype(np.float32)

    def trained(batch, **kwargs):
        weights = tf.Variable(np.ones([3, 1], np.float32))
        settings = {"weight_decay": 0.1, "global_clipnorm": 0.5}
        optimizer = optimizers.LazyAdam(0.1, **settings, **kwargs)
        optimizer.build([weights])

        def step(x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((x @ weights - y) ** 2)
            pairs = [(tape.gradient(loss, weights), weights)]
            return optimizer.apply_gradients(pairs)

        step = tf.function(step) if in_graph else step
        counts = [
            int(step(rows[i : i + batch], labels[i : i + batch]))
            for i in range(0, 24, batch)
        ]
        return weights.numpy(), counts, optimizer

    whole, _, _ = trained(12)
    parts, counts, optimizer = trained(4, accumulate_steps=3)
    np.testing.assert_allclose(parts, whole, rtol=1e-5)
    assert counts == [0, 0, 1, 1, 1, 2]
    # A large batch is clipped as a whole, and not its parts.
    assert np.abs(parts - trained(4)[0]).max() > 1e-3
    again = optimizers.LazyAdam.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    assert (again.accumulate_steps, again.global_clipnorm) == (3, 0.5)


@pytest.mark.parametrize("steps", [0, 2.0, True])
def test_bad_steps(steps):
    with pytest.raises(ValueError, match="`accumulate_steps` must be an int"):
        optimizers.LazyAdam(accumulate_steps=steps)
