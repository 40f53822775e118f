"""DIN against the concatenated form of the paper, in NumPy."""

import functools

import numpy as np
import pytest

from tfadrec.core.door import keras, tf
from tfadrec.layers import DIN
from tfadrec.ops import blocks


@pytest.mark.parametrize("slate", [3, 6])
def test_the_folded_form_equals_the_concatenated_one(slate):
    """With fewer candidates than events, and with more."""
    random = np.random.default_rng(0)
    batch, time, width, hidden = 2, 4, 5, (7, 6)
    events = random.normal(size=(batch, time, width))
    target = random.normal(size=(batch, slate, width))
    mask = np.arange(time) < np.array([4, 2])[:, None]
    # W [q, k, q - k, q * k] + b, and the layers after it.
    w_q, w_k, w_d, w_p = random.normal(size=(4, width, hidden[0]))
    bias = random.normal(size=hidden[0])
    w_1, b_1 = random.normal(size=hidden), random.normal(size=hidden[1])
    w_2, b_2 = random.normal(size=(hidden[1], 1)), random.normal(size=1)
    expected = np.zeros([batch, slate, width])
    kernel = np.concatenate([w_q, w_k, w_d, w_p])
    for b, c, t in np.ndindex(batch, slate, time):
        if mask[b, t]:
            q, k = target[b, c], events[b, t]
            x = np.tanh(np.concatenate([q, k, q - k, q * k]) @ kernel + bias)
            weight = np.tanh(x @ w_1 + b_1) @ w_2 + b_2
            expected[b, c] += weight * k

    layer = DIN(hidden, "tanh")
    inputs = {
        "events": tf.constant(events, tf.float32),
        "mask": tf.constant(mask),
        "target": tf.constant(target, tf.float32),
    }
    layer(inputs)
    values = {
        "query/kernel": w_q + w_d,
        "query/bias": bias,
        "key_kernel": w_k - w_d,
        "product_kernel": w_p,
        "hidden_0/kernel": w_1,
        "hidden_0/bias": b_1,
        "hidden_1/kernel": w_2,
        "hidden_1/bias": b_2,
    }
    for variable in layer.weights:
        name = variable.name.removesuffix(":0").partition("/")[2]
        variable.assign(values.pop(name))
    assert not values
    for call in (layer, tf.function(layer)):
        found = call(inputs)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_weights_are_not_normalised():
    # With kernels of 0 and an output bias of 2, every event has the weight 2.
    layer = DIN((3,))
    inputs = {
        "events": tf.constant([[[1.0], [10.0], [100.0]]]),
        "mask": tf.constant([[True, True, False]]),
        "target": tf.constant([[[5.0]]]),
    }
    layer(inputs)
    layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    layer.weights[-1].assign([2.0])
    np.testing.assert_allclose(layer(inputs), [[[22]]])


def test_each_candidate_is_read_alone():
    keras.utils.set_random_seed(1)
    layer = DIN()
    events, mask = tf.random.normal([2, 4, 5]), tf.ones([2, 4], tf.bool)
    target = tf.random.normal([2, 3, 5])
    together = layer({"events": events, "mask": mask, "target": target})
    for c in range(3):
        alone = layer(
            {"events": events, "mask": mask, "target": target[:, c : c + 1]}
        )
        np.testing.assert_allclose(together[:, c], alone[:, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("slate", "time"), [(3, 7), (7, 3), (3, 0), (0, 3), (0, 0)]
)
def test_one_user_is_answered_as_among_others(slate, time):
    """One has a product of its own, in the optimised graph a fused op."""
    keras.utils.set_random_seed(1)
    layer = DIN()
    inputs = {
        "events": tf.random.normal([2, time, 5]),
        "mask": tf.sequence_mask([time - 1, time], time),
        "target": tf.random.normal([2, slate, 5]),
    }
    layer({name: values[:, :1] for name, values in inputs.items()})
    for weight in layer.weights:
        weight.assign(tf.random.normal(weight.shape))
    signature = [
        {
            name: tf.TensorSpec([None, None, *values.shape[2:]], values.dtype)
            for name, values in inputs.items()
        }
    ]
    ask = tf.function(layer, input_signature=signature)
    # In training all users are read alike.
    ask_in_training = tf.function(
        functools.partial(layer, training=True), input_signature=signature
    )
    together = ask_in_training(inputs)
    assert together.shape == [2, slate, 5]
    for user in range(2):
        one = {n: v[user : user + 1] for n, v in inputs.items()}
        for answer in (ask(one), ask(inputs)[user : user + 1]):
            np.testing.assert_allclose(
                answer, together[user : user + 1], rtol=1e-5, atol=1e-5
            )


@pytest.mark.parametrize("hidden_units", [(), (0,), (8, -1)])
def test_bad_widths(hidden_units):
    with pytest.raises(ValueError, match=r"widths >= 1.*Received: hidden_un"):
        DIN(hidden_units)


def test_dice_leaves_padding_out_of_its_averages():
    layer = DIN((3,), "dice")
    random = np.random.default_rng(0)
    events = random.normal(size=(1, 4, 5)).astype(np.float32)
    target = random.normal(size=(1, 2, 5)).astype(np.float32)

    def weights_after(time):
        mask = np.arange(time)[None] < 2
        inputs = {"events": events[:, :time], "mask": mask, "target": target}
        layer(inputs)
        before = layer.get_weights()
        layer(inputs, training=True)
        after = layer.get_weights()
        layer.set_weights(before)
        return before, after

    before, padded = weights_after(4)
    _, bare = weights_after(2)
    for one, other in zip(padded, bare, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert any((a != b).any() for a, b in zip(before, bare, strict=True))


@pytest.mark.parametrize(
    ("policy", "slate", "pairs"),
    [
        ("float32", 3, 7),
        ("float32", 6, 24),
        pytest.param("mixed_bfloat16", 3, 7, marks=pytest.mark.slow),
    ],
)
def test_blocks_agree_with_one_piece(monkeypatch, policy, slate, pairs):
    """Under XLA kernels are made per candidate, else of events where fewer."""
    monkeypatch.setattr(blocks, "_PAIRS", pairs)
    keras.utils.set_random_seed(2)
    layer = DIN(dtype=policy)
    inputs = {
        "events": tf.random.normal([3, 4, 5]),
        "mask": tf.sequence_mask([4, 0, 2], 4),
        "target": tf.random.normal([3, slate, 5]),
    }
    layer(inputs)

    def run():
        with tf.GradientTape() as tape:
            out = tf.cast(layer(inputs), tf.float32)
            loss = tf.reduce_sum(tf.square(out))
        return out, tape.gradient(loss, layer.trainable_weights)

    tolerance = 1e-5 if policy == "float32" else 5e-2
    for one, other in zip(
        tf.nest.flatten(tf.function(run)()),
        # XLA is given all pairs at once.
        tf.nest.flatten(tf.function(run, jit_compile=True)()),
        strict=True,
    ):
        scale = tf.reduce_max(tf.abs(other)) + 1e-6
        np.testing.assert_allclose(one / scale, other / scale, atol=tolerance)
