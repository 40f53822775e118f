"""The transformer's parts against NumPy and the standard library."""

import itertools
import math

import numpy as np
import pytest
from tensorflow.python.util import _pywrap_util_port

from tfadrec.core.door import tf
from tfadrec.ops import transformer

#: dtype -> relative error of one rounding.
PRECISIONS = {"float32": 1e-6, "bfloat16": 2**-8, "float16": 2**-11}


@pytest.fixture
def random():
    return np.random.default_rng(1)


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu(approximate):
    x = np.linspace(-6, 6, 121)
    if approximate:
        inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
        expected = 0.5 * x * (1 + np.tanh(inner))
    else:
        phi = [0.5 * (1 + math.erf(value / math.sqrt(2))) for value in x]
        expected = x * phi
    made = transformer.gelu_tanh if approximate else transformer.gelu
    out = made(tf.constant(x, tf.float32))
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", transformer.ACTIVATIONS)
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_activations_are_finite_where_numbers_are_large(name, dtype):
    x = tf.constant([-1000, -300, -50, 0, 50, 300, 1000], dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = transformer.ACTIVATIONS[name](x)
    slope = tape.gradient(y, x)
    positive = np.array([0, 0, 0, 0, 1, 1, 1], bool)
    np.testing.assert_allclose(y, np.where(positive, x, 0), atol=1e-6)
    np.testing.assert_allclose(slope[4:], [1, 1, 1])
    np.testing.assert_allclose(slope[:3], [0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("activation", [None, *transformer.ACTIVATIONS])
def test_dense(random, dtype, activation):
    x, kernel = random.normal(size=(5, 6)), random.normal(size=(6, 4))
    bias = random.normal(size=4)
    chosen = transformer.ACTIVATIONS.get(activation)
    out = transformer.dense(
        tf.constant(x, dtype),
        tf.constant(kernel, tf.float32),
        tf.constant(bias, tf.float32),
        chosen,
    )
    expected = x @ kernel + bias
    if chosen:
        expected = chosen(tf.constant(expected)).numpy()
    assert out.dtype == dtype
    np.testing.assert_allclose(
        tf.cast(out, "float32"), expected, atol=20 * PRECISIONS[dtype]
    )


def test_dense_without_a_bias():
    out = transformer.dense(
        tf.constant([[1.0, 2.0]]), tf.constant([[3.0], [4]])
    )
    np.testing.assert_array_equal(out, [[11]])


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("shape", [(7, 16), (2, 3, 16)])
def test_layer_norm(random, dtype, shape):
    x = random.normal(3, 2, shape)
    gamma, beta = random.normal(size=(2, 16))
    out = transformer.layer_norm(
        tf.constant(x, dtype),
        tf.constant(gamma, tf.float32),
        tf.constant(beta, tf.float32),
        0.1,
    )
    x = tf.cast(tf.constant(x, dtype), "float64").numpy()
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    expected = (x - mean) / np.sqrt(variance + 0.1) * gamma + beta
    assert out.dtype == dtype
    tolerance = 2 * PRECISIONS[dtype]
    np.testing.assert_allclose(
        tf.cast(out, "float64"), expected, rtol=tolerance, atol=4 * tolerance
    )


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("num_rows", [0, 1, 7])
def test_layer_norm_of_an_unknown_number_of_rows(random, dtype, num_rows):
    """Another form, with the same values and gradients."""
    x = tf.constant(random.normal(3, 2, (num_rows, 16)), dtype)
    gamma, beta, upstream = (
        tf.constant(random.normal(size=size), dtype)
        for size in (16, 16, (num_rows, 16))
    )

    def both(x):
        with tf.GradientTape() as tape:
            tape.watch([x, gamma, beta])
            y = transformer.layer_norm(x, gamma, beta, 1e-12)
        return [y, *tape.gradient(y, [x, gamma, beta], upstream)]

    unknown = tf.function(
        both, input_signature=[tf.TensorSpec([None, 16], dtype)]
    )
    for other, plain in zip(unknown(x), both(x), strict=True):
        np.testing.assert_allclose(
            tf.cast(other, "float32"),
            tf.cast(plain, "float32"),
            rtol=4 * PRECISIONS[dtype],
            atol=16 * PRECISIONS[dtype],
        )


def kernels(function, rows):
    """The kernels that TensorFlow runs for a function, after its rewriting."""
    graph = tf.Graph()
    with graph.as_default():
        shape = [None, rows.shape[1]]
        placeholder = tf.compat.v1.placeholder(rows.dtype, shape)
        out = function(placeholder)
    metadata = tf.compat.v1.RunMetadata()
    with tf.compat.v1.Session(graph=graph) as session:
        session.run(
            out,
            {placeholder: rows},
            tf.compat.v1.RunOptions(output_partition_graphs=True),
            metadata,
        )
    return [
        (node.op, *node.attr["fused_ops"].list.s)
        for graph in metadata.partition_graphs
        for node in graph.node
    ]


@pytest.mark.skipif(
    not _pywrap_util_port.IsMklEnabled(), reason="oneDNN does this"
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_feed_forward_is_three_kernels(random, dtype):
    """What makes it fast: nothing else reads or writes all rows."""
    x, kernel = random.normal(size=(2, 16, 16))
    weights = kernel.astype(np.float32)

    def block(x):
        x = tf.cast(x, dtype)
        y = transformer.dense(x, weights, weights[0], transformer.gelu)
        y = x + transformer.dense(y, weights, weights[0])
        return transformer.layer_norm(y, weights[0], weights[0], 1e-12)

    found = kernels(block, x.astype(np.float32))
    large = ("MatMul", "Norm", "Add", "Mul", "Erf")
    found = [k for k in found if any(name in k[0] for name in large)]
    assert sorted(found) == [
        ("_MklLayerNorm",),
        ("_MklNativeFusedMatMul", b"BiasAdd", b"Add"),
        ("_MklNativeFusedMatMul", b"BiasAdd", b"GeluExact"),
    ]


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_rms_norm(random, dtype):
    x, gamma = random.normal(3, 2, (7, 16)), random.normal(size=16)
    out = transformer.rms_norm(
        tf.constant(x, dtype), tf.constant(gamma, tf.float32), 0.1
    )
    x = tf.cast(tf.constant(x, dtype), "float64").numpy()
    square = (x**2).mean(-1, keepdims=True)
    expected = x / np.sqrt(square + 0.1) * gamma
    assert out.dtype == dtype
    np.testing.assert_allclose(
        tf.cast(out, "float64"), expected, rtol=2 * PRECISIONS[dtype]
    )


@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm"])
def test_norms_sum_in_float32(norm):
    """In float16 the sum of 512 squares of 200 is beyond the largest number."""
    x = np.full((1, 512), 200.0)
    x[:, ::2] *= -1
    weights = [tf.ones(512)] + [tf.zeros(512)] * (norm == "layer_norm")
    out = getattr(transformer, norm)(tf.constant(x, "float16"), *weights, 1e-5)
    np.testing.assert_allclose(out, x / 200, rtol=1e-3)


def attend(query, key, value, mask, num_heads, scale, bias):
    """Sums over the real entries, if there are any, one output at a time."""
    out = np.zeros_like(query)
    width = query.shape[-1] // num_heads
    for b, h, q in np.ndindex(len(query), num_heads, query.shape[1]):
        part = slice(h * width, (h + 1) * width)
        real = np.flatnonzero(mask[b, q])
        if not len(real):
            out[b, q, part] = value[b, :, part].mean(0)
            continue
        logits = scale * key[b, real, part] @ query[b, q, part]
        weights = np.exp(logits + bias[0, h, q, real])
        out[b, q, part] = weights / weights.sum() @ value[b, real, part]
    return out


def attention_inputs(random, per_query):
    query = random.normal(size=(3, 4, 8))
    key, value = random.normal(size=(2, 3, 5, 8))
    mask = random.random((3, 4, 5)) < 0.6
    mask[1, 2] = False
    if not per_query:
        mask[:] = mask[:, 2:3]
    return query, key, value, mask, random.normal(size=(1, 2, 4, 5))


#: Compiled in the default run: each precision, and each form of mask and bias.
COMPILED = {
    *(("float32", False, False), ("float32", True, True)),
    *(("float16", True, False), ("bfloat16", False, True)),
}


@pytest.mark.parametrize(
    ("jit_compile", "dtype", "is_plain", "per_query"),
    [
        pytest.param(
            jit_compile,
            *case,
            marks=pytest.mark.slow
            if jit_compile and case not in COMPILED
            else (),
        )
        for jit_compile in (False, True)
        for case in itertools.product(PRECISIONS, (False, True), (False, True))
    ],
)
def test_attention(random, per_query, is_plain, dtype, jit_compile):
    *qkv, mask, bias = attention_inputs(random, per_query)
    scale = 8**-0.5 * 2**0.5 if is_plain else 1.0
    options = {} if is_plain else {"scale": 1.0, "bias": tf.constant(bias)}

    @tf.function(jit_compile=jit_compile)
    def call(query, key, value, mask):
        return transformer.attention(query, key, value, mask, 2, **options)

    out = call(
        *(tf.constant(x, dtype) for x in qkv),
        tf.constant(mask if per_query else mask[:, 0]),
    )
    expected = attend(*qkv, mask, 2, scale, bias * (not is_plain))
    assert out.dtype == dtype
    np.testing.assert_allclose(
        tf.cast(out, "float32"), expected, atol=8 * PRECISIONS[dtype]
    )


@pytest.mark.parametrize("num_shared", [1, 2])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_heads_that_share_keys_and_values(random, num_shared, jit_compile):
    """Of 4 heads, neighbours have the same ones."""
    query = random.normal(size=(3, 5, 8))
    key, value = random.normal(size=(2, 3, 6, 2 * num_shared))
    mask = random.random((3, 5, 6)) < 0.6

    @tf.function(jit_compile=jit_compile)
    def call(*args):
        return transformer.attention(*args, 4)

    arrays = (tf.constant(x, tf.float32) for x in (query, key, value))
    out = call(*arrays, tf.constant(mask))
    copied = [
        np.repeat(x.reshape(3, 6, num_shared, 2), 4 // num_shared, 2)
        for x in (key, value)
    ]
    copied = [x.reshape(3, 6, 8) for x in copied]
    bias = np.zeros((1, 4, 5, 6))
    expected = attend(query, *copied, mask, 4, 2**-0.5, bias)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_rotary_positions(random, dtype):
    """A pair is a complex number, turned by p 10^(-2 i / 6)."""
    x, places = random.normal(size=(4, 2, 6)), np.array([0, 1, 5, 900])
    angles = transformer.rotary_angles(tf.constant(places), 6, 10.0)
    rows = tf.constant(x.reshape(4, 12), dtype)
    out = transformer.rotate(rows, angles)
    x = tf.cast(rows, "float64").numpy().reshape(4, 2, 6)
    turns = np.exp(1j * places[:, None] * 10.0 ** (-np.arange(3) / 3))
    turned = (x[..., :3] + 1j * x[..., 3:]) * turns[:, None]
    expected = np.concatenate([turned.real, turned.imag], -1).reshape(4, 12)
    assert out.dtype == dtype
    tolerance = max(1e-4, 4 * PRECISIONS[dtype])  # of 900 in float32
    np.testing.assert_allclose(
        tf.cast(out, "float64"), expected, atol=tolerance
    )


def test_rotated_products_know_distances_alone(random):
    query, key = tf.constant(random.normal(size=(2, 1, 8)), tf.float32)
    products = []
    for shift in (0, 3, 40):
        turned = [
            transformer.rotate(
                x, transformer.rotary_angles(tf.constant([place]), 8, 100.0)
            )
            for x, place in ((query, 7 + shift), (key, 2 + shift))
        ]
        products.append(tf.reduce_sum(turned[0] * turned[1]))
    np.testing.assert_allclose(products, [products[0]] * 3, rtol=1e-4)


def test_a_causal_mask_for_all_rows(random):
    query, *_ = attention_inputs(random, True)
    causal = np.tril(np.ones((1, 4, 4), bool))
    x = tf.constant(query, tf.float32)
    out = transformer.attention(x, x, x, tf.constant(causal), 2)
    mask = np.repeat(causal, 3, 0)
    expected = attend(query, query, query, mask, 2, 0.5, np.zeros((1, 2, 4, 4)))
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_what_stands_in_padding_has_no_part(random, dtype):
    query, key, value, mask, _ = attention_inputs(random, False)
    mask = mask[:, 0]
    mask[1, 3] = True

    def outputs_and_slopes(key, value):
        inputs = [tf.constant(x, dtype) for x in (query, key, value)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            out = transformer.attention(*inputs, tf.constant(mask), 2)
            total = tf.reduce_sum(tf.cast(out, "float32") ** 2)
        return [out, *tape.gradient(total, inputs)]

    garbled = [np.where(mask[..., None], x, 1000.0) for x in (key, value)]
    pairs = zip(
        outputs_and_slopes(key, value),
        outputs_and_slopes(*garbled),
        strict=True,
    )
    for plain, other in pairs:
        assert np.all(np.isfinite(tf.cast(other, "float32")))
        np.testing.assert_array_equal(plain, other)


def test_gradients_against_differences(random):
    x = random.normal(size=(2, 3, 4))
    kernel, gamma = random.normal(size=(4, 4)), random.normal(size=4)
    mask = tf.constant([[True, True, False], [True, True, True]])

    def block(x, kernel, gamma):
        rows = tf.reshape(x, [-1, 4])
        for name in ("gelu", "gelu_new"):
            rows = transformer.dense(
                rows, kernel, gamma, transformer.ACTIVATIONS[name]
            )
        rows = transformer.layer_norm(rows, gamma, gamma, 1e-3)
        rows += transformer.rms_norm(rows, gamma, 1e-3)
        y = tf.reshape(rows, [2, 3, 4])
        return transformer.attention(y, y, y, mask, 2)

    inputs = [tf.constant(v, tf.float32) for v in (x, kernel, gamma)]
    theory, numeric = tf.test.compute_gradient(block, inputs, delta=1e-2)
    for mine, theirs in zip(theory, numeric, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0.02, atol=0.02)


def test_relative_buckets_by_hand():
    # 8 buckets, 4 each way: distances 0 and 1, then 2..4 and from 5 on, as
    # 2 + floor(2 log(d / 2) / log(10 / 2)): d = 4 gives 2, d = 5 gives 3.
    distance = np.arange(-11, 12, dtype=np.int32)
    expected = np.minimum(
        np.searchsorted([1, 2, 5], np.abs(distance), side="right"), 3
    ) + np.where(distance > 0, 4, 0)
    buckets = transformer.relative_buckets(tf.constant(distance), 8, 10)
    np.testing.assert_array_equal(buckets, expected)
