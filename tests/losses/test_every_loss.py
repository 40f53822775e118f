"""What every loss of a task has to pass, and one answer of each by hand."""

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.losses import reference
from tfadrec import losses
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError


@dataclasses.dataclass(frozen=True)
class Case:
    """A loss, what it costs, and the labels that it is for."""

    loss: losses.TaskLoss
    costs: Callable[..., Any]
    labels: str = "binary"


def weighted(labels, outputs, mask):
    return 2 * reference.binary(labels, outputs, mask) + 0.3 * (
        reference.ranknet(labels, outputs, mask)
    )


CASES = {
    "binary": Case(losses.BinaryCrossEntropy(), reference.binary, "soft"),
    "squared": Case(losses.SquaredError(), reference.squared, "real"),
    "huber": Case(losses.Huber(0.7), reference.huber(0.7), "real"),
    "ziln": Case(losses.ZeroInflatedLogNormal(), reference.ziln, "amounts"),
    "softmax": Case(losses.SoftmaxCrossEntropy(), reference.softmax),
    "softmax of amounts": Case(
        losses.SoftmaxCrossEntropy(), reference.softmax, "amounts"
    ),
    "ranknet": Case(losses.RankNet(), reference.ranknet),
    "ranknet of reals": Case(losses.RankNet(), reference.ranknet, "real"),
    "lambda": Case(losses.LambdaLoss(), reference.lambda_loss(None)),
    "lambda at 2": Case(losses.LambdaLoss(2), reference.lambda_loss(2)),
    "lambda of amounts": Case(
        losses.LambdaLoss(3), reference.lambda_loss(3), "amounts"
    ),
    "jrc": Case(losses.JRC(0.7), reference.jrc(0.7)),
    "jrc of rates": Case(losses.JRC(0.2), reference.jrc(0.2), "soft"),
    "sum": Case(losses.SumOfLosses({"binary": 2, "ranknet": 0.3}), weighted),
}
B, C = 6, 5

every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
# The cases that differ in their labels alone have one graph.
GRAPHS = [n for n in CASES if " of " not in n]
of_each_graph = pytest.mark.parametrize(
    "case", [CASES[name] for name in GRAPHS], ids=GRAPHS
)


def sample(case, seed=0, spread=2.0):
    """Labels, outputs [float32] and a mask.

    Row 3 has one class, row 4 one real place, row 5 none.
    """
    random = np.random.default_rng(seed)
    labels = (random.random([B, C]) < 0.4).astype(np.float32)
    labels[:3, :2] = [0, 1]
    if case.labels == "soft":
        labels = random.random([B, C])
    elif case.labels == "real":
        labels = random.normal(0, 3, [B, C])
    elif case.labels == "amounts":
        labels *= np.exp(random.normal(1, 1, [B, C]))
    labels[3] = 0
    sizes = np.array([C, C - 1, C - 2, C, 1, 0])
    shape = [B, C]
    if case.loss.num_outputs > 1:
        shape.append(case.loss.num_outputs)
    outputs = random.normal(0, spread, shape)
    mask = np.arange(C) < sizes[:, None]
    return np.float32(labels), np.float32(outputs), mask


def expected_losses(case, labels, outputs, mask):
    return np.stack(
        [
            case.costs(*slate)
            for slate in zip(
                np.float64(labels), np.float64(outputs), mask, strict=True
            )
        ]
    )


@every
def test_the_loss_of_each_row(case):
    labels, outputs, mask = sample(case)
    found = case.loss.per_row(labels, outputs, mask)
    assert found.dtype == tf.float32
    expected = expected_losses(case, labels, outputs, mask)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)
    assert (expected[0] != 0).all()
    np.testing.assert_array_equal(found.numpy()[~mask], 0)


# Of the mean 1 over each slate of `sample`.
WEIGHTS = np.array(
    [
        [0, 3, 1, 1, 0],
        [2, 0, 1, 1, 9],
        [1, 2, 0, 9, 9],
        [1, 2, 0, 1, 1],
        [1, 9, 9, 9, 9],
        [9, 9, 9, 9, 9],
    ],
    np.float32,
)


@every
def test_a_row_counts_as_many_rows_as_its_weight(case):
    """As if it stood there so often."""
    labels, outputs, mask = sample(case)
    weights = WEIGHTS if case.loss.counts_rows else np.ones([B, C], np.float32)
    found = case.loss.per_row(labels, outputs, mask, weights).numpy()
    for row in range(B):
        times = np.where(mask[row], weights[row], 0).astype(int)
        copies = np.repeat(np.arange(C), times)
        if not len(copies):
            continue
        slate = (x[row][copies].astype(np.float64) for x in (labels, outputs))
        expected = case.costs(*slate, np.ones(len(copies), bool))
        np.testing.assert_allclose(
            found[row][copies], expected, rtol=2e-5, atol=1e-6
        )
    again = case.loss.per_row(labels, outputs, mask, 7 * weights)
    np.testing.assert_allclose(again, found, rtol=2e-5, atol=1e-6)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[~mask], 0)


@every
def test_the_gradient_is_that_of_finite_differences(case):
    labels, outputs, mask = sample(case, seed=1, spread=1.0)
    weights = np.random.default_rng(2).random([B, C])
    tensor = tf.constant(outputs)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        total = tf.reduce_sum(
            tf.constant(weights, tf.float32)
            * case.loss.per_row(labels, tensor, mask)
        )
    found = tape.gradient(total, tensor).numpy()
    step = 1e-5
    expected = np.zeros(outputs.shape)
    for place in np.ndindex(outputs.shape):
        both = []
        for sign in (1, -1):
            moved = np.float64(outputs)
            moved[place] += sign * step
            both.append(
                (weights * expected_losses(case, labels, moved, mask)).sum()
            )
        expected[place] = (both[0] - both[1]) / (2 * step)
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(found[~mask], 0)


@every
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf, 1e30])
def test_padding_does_not_leak(case, garbage):
    labels, outputs, mask = sample(case)
    clean = case.loss.per_row(labels, outputs, mask)
    labels[~mask], outputs[~mask] = garbage, garbage
    tensor = tf.constant(outputs)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        found = case.loss.per_row(labels, tensor, mask)
        total = tf.reduce_sum(found)
    np.testing.assert_array_equal(found, clean)
    gradient = tape.gradient(total, tensor).numpy()
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[~mask], 0)


@every
@pytest.mark.parametrize("size", [80.0, -80.0, "both"])
def test_large_logits_are_finite(case, size):
    labels, outputs, mask = sample(case)
    if size == "both":
        outputs = np.where(outputs > 0, 80.0, -80.0)
    else:
        outputs = np.full_like(outputs, size)
    tensor = tf.constant(outputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        found = case.loss.per_row(labels, tensor, mask)
    assert np.isfinite(found).all()
    assert np.isfinite(tape.gradient(found, tensor)).all()
    for number in (case.loss.expected(tensor), case.loss.score(tensor)):
        assert number.shape == labels.shape
        assert np.isfinite(number).all()


@every
@pytest.mark.parametrize("shape", [(2, 3), (2, 0), (0, 3)])
def test_slates_without_a_real_row_cost_nothing(case, shape):
    outputs = [*shape, case.loss.num_outputs]
    outputs = tf.ones(outputs if case.loss.num_outputs > 1 else shape)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        found = case.loss.per_row(
            tf.ones(shape), outputs, tf.zeros(shape, tf.bool)
        )
    np.testing.assert_array_equal(found, np.zeros(shape))
    gradient = tape.gradient(found, outputs)
    np.testing.assert_array_equal(gradient, np.zeros(outputs.shape))


@every
def test_all_rows_are_real_without_a_mask(case):
    labels, outputs, _ = sample(case)
    expected = case.loss.per_row(labels, outputs, np.ones([B, C], bool))
    np.testing.assert_array_equal(case.loss.call(labels, outputs), expected)
    np.testing.assert_allclose(
        case.loss(labels, outputs), np.mean(expected), rtol=1e-6
    )


@every
def test_a_row_by_itself_costs_the_same(case):
    """Losses of single rows take [B] as well; others refuse it."""
    labels, outputs, mask = sample(case)
    rows = labels[0], outputs[0], mask[0]
    if case.loss.by_request:
        with pytest.raises(ValueError, match="takes labels of whole slates"):
            case.loss.per_row(*rows)
        with pytest.raises(ValueError, match="takes labels of whole slates"):
            case.loss(*rows[:2])
    else:
        np.testing.assert_allclose(
            case.loss.per_row(*rows),
            case.loss.per_row(labels, outputs, mask)[0],
            rtol=1e-6,
        )


@every
def test_shapes_that_do_not_fit_are_refused(case):
    labels, outputs, _ = sample(case)
    with pytest.raises(ValueError, match=r"output\(s\) for each label"):
        case.loss.per_row(labels, outputs[:, :2])
    with pytest.raises(ValueError, match=r"output\(s\) for each label"):
        case.loss.per_row(labels, outputs[..., None])


@every
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions_are_worked_out_in_float32(case, dtype):
    labels, outputs, mask = sample(case)
    rounded = tf.cast(outputs, dtype)
    found = case.loss.per_row(tf.cast(labels, "float64"), rounded, mask)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(
        found,
        case.loss.per_row(labels, tf.cast(rounded, tf.float32), mask),
        rtol=1e-6,
    )
    for number in (case.loss.expected(rounded), case.loss.score(rounded)):
        assert number.dtype == tf.float32


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64"])
def test_labels_may_be_integers(dtype):
    labels = tf.cast([[0, 1, 1]], dtype)
    outputs = [[0.3, -0.2, 1.0]]
    np.testing.assert_array_equal(
        losses.BinaryCrossEntropy().per_row(labels, outputs),
        losses.BinaryCrossEntropy().per_row([[0.0, 1, 1]], outputs),
    )


@of_each_graph
def test_xla_compiles_it(case):
    labels, outputs, mask = sample(case)

    @tf.function(jit_compile=True)
    def step(labels, outputs, mask):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            found = case.loss.per_row(labels, outputs, mask)
        gradient = tape.gradient(found, outputs)
        return found, gradient, case.loss.expected(outputs)

    tensors = [tf.constant(part) for part in (labels, outputs, mask)]
    for compiled, eager in zip(
        step(*tensors), step.python_function(*tensors), strict=True
    ):
        np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-6)


@every
def test_unknown_sizes(case):
    labels, outputs, mask = sample(case)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None]),
            tf.TensorSpec([None] * outputs.ndim),
            tf.TensorSpec([None, None], tf.bool),
        ]
    )
    def per_row(labels, outputs, mask):
        return case.loss.per_row(labels, outputs, mask)

    np.testing.assert_allclose(
        per_row(labels, outputs, mask),
        case.loss.per_row(labels, outputs, mask),
        rtol=1e-6,
        atol=1e-7,
    )


@every
def test_config_survives_json(case):
    config = keras.saving.serialize_keras_object(case.loss)
    again = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(config))
    )
    assert type(again) is type(case.loss)
    assert again.get_config() == case.loss.get_config()
    labels, outputs, mask = sample(case)
    np.testing.assert_array_equal(
        again.per_row(labels, outputs, mask),
        case.loss.per_row(labels, outputs, mask),
    )


@pytest.mark.parametrize("name", ["binary", "ziln", "lambda at 2", "sum"])
def test_keras_trains_and_saves_with_it(name, tmp_path):
    """A loss of `compile`, in a model that is loaded again."""
    keras.utils.set_random_seed(0)
    case = CASES[name]
    labels, _, _ = sample(case)
    inputs = np.random.default_rng(4).random([B, C, 2]).astype(np.float32)
    head = keras.layers.Dense(case.loss.num_outputs)
    entry = keras.Input([C, 2])
    shape = [C] if case.loss.num_outputs == 1 else [C, case.loss.num_outputs]
    model = keras.Model(entry, keras.layers.Reshape(shape)(head(entry)))
    eagerly = name != "sum"  # to trace it takes a second
    model.compile(
        keras.optimizers.Adagrad(0.3), loss=case.loss, run_eagerly=eagerly
    )
    history = model.fit(inputs, labels, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.evaluate(inputs, labels, verbose=0) == pytest.approx(
        model.evaluate(inputs, labels, verbose=0), rel=1e-5
    )


LOG2 = math.log(2)
BY_HAND = [
    # A chance of 3/4.
    (
        losses.BinaryCrossEntropy(),
        [[1.0]],
        [[math.log(3)]],
        [[-math.log(0.75)]],
    ),
    (losses.SquaredError(), [[4.0, -1]], [[1.0, 1]], [[9, 4]]),
    # 0.5 within delta = 1, and 3 beyond it: 1 * (3 - 0.5).
    (losses.Huber(1.0), [[0.5, 3]], [[0.0, 0]], [[0.125, 2.5]]),
    # A chance of 1/2, and a standard log-normal at its median 1.
    (
        losses.ZeroInflatedLogNormal(),
        [[0.0, 1]],
        [[[0, 5, 5], [0, 0, math.log(math.expm1(0.999))]]],
        [[LOG2, LOG2 + math.log(2 * math.pi) / 2]],
    ),
    # Shares 3 : 1 of the labels, chances 1/4, 3/4.
    (
        losses.SoftmaxCrossEntropy(),
        [[6.0, 2]],
        [[0.0, math.log(3)]],
        [[0.75 * math.log(4) + 0.25 * math.log(4 / 3)] * 2],
    ),
    # Pairs (1, 0) and (1, 2): equal, and 3 : 1 for the right order.
    (
        losses.RankNet(),
        [[0.0, 1, 0]],
        [[0.0, 0, -math.log(3)]],
        [[(LOG2 + math.log(4 / 3)) / 2] * 3],
    ),
    # The click stands second of two, at k = 1: exchanged, NDCG is 1, not 0.
    (
        losses.LambdaLoss(1),
        [[0.0, 1]],
        [[math.log(3), 0]],
        [[math.log(4)] * 2],
    ),
    # The logits of the label 1 are 0 and log 3, those of 0 are equal.
    (
        losses.JRC(0.25),
        [[1.0, 0]],
        [[[0, 0], [0, math.log(3)]]],
        [
            [
                0.25 * LOG2 + 0.75 * math.log(4),
                0.25 * math.log(4) + 0.75 * LOG2,
            ]
        ],
    ),
]


@pytest.mark.parametrize(
    ("loss", "labels", "outputs", "expected"),
    BY_HAND,
    ids=[type(row[0]).__name__ for row in BY_HAND],
)
def test_by_hand(loss, labels, outputs, expected):
    np.testing.assert_allclose(
        loss.per_row(labels, outputs), expected, rtol=1e-6
    )


@pytest.mark.parametrize(
    "name", ["softmax", "ranknet", "lambda", "lambda at 2", "sum"]
)
def test_a_slate_gives_its_loss_to_each_of_its_rows(name):
    """The mean over real rows weighs a slate by its size."""
    loss = CASES[name].loss
    if name == "sum":
        loss = losses.SumOfLosses({"softmax": 1.0, "ranknet": 1.0})
    labels, outputs, mask = sample(CASES[name])
    found = loss.per_row(labels, outputs, mask).numpy()
    for row in range(4):
        assert len(set(found[row][mask[row]])) == 1
    assert (found[3] == 0).all()


def test_equal_scores_have_the_order_of_their_places_in_lambda_loss():
    """The click stands first: exchanging it with the last costs D(1) - D(3)."""
    found = losses.LambdaLoss().per_row([[1.0, 0, 0]], [[0.0, 0, 0]])
    changes = (1 - 1 / math.log2(3)) + (1 - 1 / 2)
    np.testing.assert_allclose(found, [[changes * LOG2] * 3], rtol=1e-6)


def test_what_the_outputs_mean():
    z = [[0.0, math.log(3)]]
    for name in ("binary", "softmax", "ranknet", "lambda"):
        loss = losses.get(name)
        np.testing.assert_allclose(loss.expected(z), [[0.5, 0.75]])
        np.testing.assert_allclose(loss.score(z), z)
        assert loss.is_binary
        assert loss.is_calibrated == (name == "binary")
    for name in ("squared", "huber"):
        loss = losses.get(name)
        np.testing.assert_allclose(loss.expected(z), z)
        np.testing.assert_allclose(loss.score(z), z)
        assert not loss.is_binary
    jrc = losses.JRC()
    two = [[[1.0, 1.0 + math.log(3)]]]
    np.testing.assert_allclose(jrc.expected(two), [[0.75]], rtol=1e-6)
    np.testing.assert_allclose(jrc.score(two), [[math.log(3)]], rtol=1e-6)


def test_the_mean_of_a_zero_inflated_log_normal():
    """A chance of 3/4 of exp(0.5 + 1 / 2), and what is drawn from it."""
    loss = losses.ZeroInflatedLogNormal()
    raw = math.log(math.expm1(0.999))
    outputs = [[math.log(3), 0.5, raw], [-1.0, 0.3, 0.0]]
    found = loss.expected(outputs).numpy()
    np.testing.assert_allclose(found[0], 0.75 * math.e, rtol=1e-6)
    random = np.random.default_rng(0)
    amounts = random.lognormal(0.3, LOG2 + 1e-3, 400_000)
    amounts *= random.random(400_000) < 1 / (1 + math.e)
    assert found[1] == pytest.approx(amounts.mean(), rel=0.01)
    np.testing.assert_array_equal(loss.score(outputs), found)
    # An extreme mean ends where a sum over a billion rows is still finite.
    largest = float(loss.expected([[80.0, 80.0, 80.0]])[0])
    assert largest == pytest.approx(math.exp(60), rel=1e-5)
    assert np.isfinite(np.float32(largest) * np.float32(1e9))


def test_labels_below_zero_and_too_small_for_a_logarithm_are_no_amount():
    loss = losses.ZeroInflatedLogNormal()
    outputs = [[0.4, 1.0, 1.0]] * 3
    found = loss.per_row([0.0, -3.0, 1e-40], outputs).numpy()
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("delta", [0, -1.0, math.nan, math.inf, True, "1"])
def test_a_wrong_delta(delta):
    with pytest.raises(InputError, match="`delta` must be a finite number > 0"):
        losses.Huber(delta)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3"])
def test_a_wrong_k(k):
    with pytest.raises(InputError, match="`k` must be an integer >= 1 or None"):
        losses.LambdaLoss(k)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan, True, "1", None])
def test_a_wrong_alpha(alpha):
    with pytest.raises(InputError, match=r"`alpha` must be a number in \[0, 1"):
        losses.JRC(alpha)


def test_every_loss_of_a_task_has_a_case():
    public = {getattr(losses, name) for name in losses.__all__}
    tasks = {
        value
        for value in public
        if isinstance(value, type) and issubclass(value, losses.TaskLoss)
    }
    tested = {type(case.loss) for case in CASES.values()}
    assert tasks - {losses.TaskLoss} == tested
