"""AdRanker as a Keras user meets it."""

import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics

import tfadrec
from tfadrec.core.door import keras, tf


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def data(rows, size=6, weights=None):
    rows = rows if weights is None else (*rows, tf.constant(weights))
    return tf.data.Dataset.from_tensor_slices(rows).batch(size)


def weights_of(model):
    # The cross layers of tfrs number their parts as they are made.
    return {
        f"{i} {re.sub(r'dense_[0-9]+', 'dense', v.name)}": v.numpy()
        for i, v in enumerate(model.trainable_weights)
    }


def assert_same_weights(one, other, atol=1e-5):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(
            one[name], other[name], rtol=1e-4, atol=atol, err_msg=name
        )


@pytest.mark.parametrize("matching", [True, False])
def test_a_slate_is_each_candidate_alone(small, matching):
    ranker = small.ranker(matching)
    inputs, _ = small.rows(slate=4)
    slate = ranker(inputs)["clicked"]
    assert slate.shape == [12, 4]
    assert slate.dtype == tf.float32
    for c in range(4):
        one = {**inputs, "candidate_ads": inputs["candidate_ads"][:, c]}
        np.testing.assert_allclose(
            ranker(one)["clicked"], slate[:, c], rtol=1e-4, atol=1e-5
        )


def test_each_row_is_scored_alone(small):
    ranker = small.ranker()
    inputs, _ = small.rows()
    together = ranker(inputs)["clicked"]
    for row in range(12):
        one = {name: value[row : row + 1] for name, value in inputs.items()}
        np.testing.assert_allclose(
            ranker(one)["clicked"], together[row : row + 1], atol=1e-5
        )


def test_every_input_matters(small):
    ranker = small.ranker()
    for variable in ranker.trainable_weights:
        variable.assign(tf.random.normal(variable.shape, stddev=0.3, seed=1))
    inputs, _ = small.rows()
    others, _ = small.rows(seed=1)
    logits = ranker(inputs)["clicked"]
    for name, value in others.items():
        changed = ranker({**inputs, name: value})["clicked"]
        assert np.abs(changed - logits).max() > 1e-3, name


def test_biases_are_a_linear_path(small):
    ranker = small.ranker()
    inputs, _ = small.rows()
    before = ranker(inputs)["clicked"]
    tables = {
        v.name.split("/")[1]: v
        for v in ranker.weights
        if v.name.endswith("embedding_and_bias:0")
    }
    random = np.random.default_rng(0)
    expected = before.numpy()
    for tower, name in (
        ("ad_tower", "candidate_ads"),
        ("user_tower", "user_id"),
    ):
        value = tables[tower].numpy()
        value[:, -1] = random.normal(size=len(value))
        tables[tower].assign(value)
        expected += value[inputs[name].numpy(), -1]
    np.testing.assert_allclose(
        ranker(inputs)["clicked"], expected, rtol=1e-4, atol=1e-5
    )


def test_fit_evaluate_and_predict(small):
    ranker = small.ranker()
    ranker.compile(
        keras.optimizers.Adam(0.01),
        metrics=[keras.metrics.AUC(from_logits=True, name="auc")],
    )
    rows = small.rows(60)
    history = ranker.fit(
        data(rows), validation_data=data(rows), epochs=2, verbose=0
    )
    assert set(history.history) == {"loss", "auc", "val_loss", "val_auc"}
    assert history.history["loss"][1] < history.history["loss"][0]
    logits = ranker.predict(data(rows))["clicked"]
    assert logits.shape == (60,)
    np.testing.assert_allclose(logits, ranker(rows[0])["clicked"], atol=1e-5)
    found = ranker.evaluate(data(rows), verbose=0, return_dict=True)
    labels = rows[1]["clicked"].numpy()
    assert found["loss"] == pytest.approx(
        sklearn.metrics.log_loss(labels, sigmoid(logits)), abs=1e-5
    )
    assert found["auc"] == pytest.approx(
        sklearn.metrics.roc_auc_score(labels, logits), abs=0.02
    )


def test_a_label_that_is_no_task_is_not_read(small):
    inputs, labels = small.rows(labels=("clicked", "converted"))
    found = []
    for rows in ((inputs, labels), (inputs, {"clicked": labels["clicked"]})):
        ranker = small.ranker()
        auc = keras.metrics.AUC(from_logits=True, name="auc")
        ranker.compile("sgd", metrics=[auc])
        ranker.fit(data(rows), verbose=0)
        found.append(ranker.evaluate(data(rows), verbose=0, return_dict=True))
    assert found[0] == found[1]


def test_two_tasks_add_up(small):
    ranker = small.ranker(tasks=("clicked", "converted"))
    ranker.compile("sgd")
    inputs, labels = small.rows(labels=("clicked", "converted"))
    loss = ranker.compute_loss((inputs, labels))
    logits = ranker(inputs)
    expected = sum(
        sklearn.metrics.log_loss(labels[task], sigmoid(logits[task].numpy()))
        for task in ("clicked", "converted")
    )
    assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_sample_weights(small):
    ranker = small.ranker()
    ranker.compile("sgd")
    rows = small.rows(8)
    weights = np.array([0, 1, 2, 0, 0.5, 1, 0, 3], np.float32)
    loss = float(ranker.compute_loss((*rows, tf.constant(weights))))
    probs = sigmoid(ranker(rows[0])["clicked"].numpy())
    clicked = rows[1]["clicked"].numpy()
    each = -np.log(np.where(clicked == 1, probs, 1 - probs))
    # As in Keras: a sum over the batch, divided by its size.
    assert loss == pytest.approx((weights * each).mean(), abs=1e-5)
    ranker.fit(data(rows, 8, weights), verbose=0)


@pytest.mark.parametrize(
    "loss",
    [
        "mean_squared_error",
        keras.losses.MeanSquaredError(),
        {"clicked": keras.losses.MeanSquaredError()},
    ],
)
def test_a_loss_of_ones_own(small, loss):
    ranker = small.ranker()
    ranker.compile("sgd", loss=loss)
    inputs, labels = small.rows()
    errors = ranker(inputs)["clicked"] - labels["clicked"]
    assert float(ranker.compute_loss((inputs, labels))) == pytest.approx(
        np.mean(np.square(errors)), abs=1e-5
    )


def test_a_step_is_that_of_the_gradient(small):
    ranker, rows = small.ranker(), small.rows()
    before = weights_of(ranker)
    ranker.compile(keras.optimizers.SGD(0.5))
    with tf.GradientTape() as tape:
        logits = ranker(rows[0])["clicked"]
        loss = tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(rows[1]["clicked"], logits)
        )
    gradients = tape.gradient(loss, ranker.trainable_weights)
    expected = {
        name: value - 0.5 * tf.convert_to_tensor(g).numpy()
        for (name, value), g in zip(before.items(), gradients, strict=True)
    }
    ranker.fit(data(rows, 12), verbose=0)
    assert_same_weights(weights_of(ranker), expected)
    assert max(np.abs(expected[n] - before[n]).max() for n in before) > 0.01


def test_losses_of_layers_are_trained_on(small):
    ranker, rows = small.ranker(), small.rows()
    ranker.ad_tower._id.l2 = 1.0
    tables = [v for v in ranker.weights if v.name.endswith("and_bias:0")]
    for table in tables:
        table.assign(tf.ones_like(table))
    ranker.compile(keras.optimizers.SGD(1e-3))
    before = tables[0].numpy()
    ranker.fit(data(rows, 12), verbose=0)
    read = np.union1d(
        rows[0]["candidate_ads"].numpy(), rows[0]["history_ads"].numpy()
    )
    # The bias of an ad that is only in histories is pulled by the penalty
    # alone: 1e-3 times its own value.
    only = np.setdiff1d(read, rows[0]["candidate_ads"].numpy())
    change = tables[0].numpy() - before
    np.testing.assert_allclose(change[only, -1], -1e-3, rtol=1e-3)


def test_mixed_float16_changes_weights_as_float32_does(small):
    def after(policy):
        keras.mixed_precision.set_global_policy(policy)
        try:
            ranker = small.ranker()
            before = weights_of(ranker)
            # A step so small that its gradients vanish unless they are scaled.
            scale = 1e-7
            ranker.compile(
                keras.optimizers.SGD(1 / scale),
                loss=lambda y, z: (
                    scale
                    * keras.losses.binary_crossentropy(y, z, from_logits=True)
                ),
            )
            rows = small.rows(64)
            ranker.fit(data(rows, 64), verbose=0)
            return before, weights_of(ranker)
        finally:
            keras.mixed_precision.set_global_policy("float32")

    before, expected = after("float32")
    start, found = after("mixed_float16")
    assert_same_weights(start, before)
    for name in before:
        true, half = expected[name] - before[name], found[name] - before[name]
        error = np.abs(half - true).max()
        assert error < 0.05 * np.abs(true).max() + 1e-4, name
        assert np.abs(half).max() > 0, name


def test_xla_trains_the_same(small):
    rows = small.rows(24)
    found = []
    for jit_compile in (False, True):
        ranker = small.ranker()
        ranker.compile(keras.optimizers.SGD(0.1), jit_compile=jit_compile)
        ranker.fit(data(rows, 12), verbose=0)
        assert ranker.ad_tower.distinct is not jit_compile
        found.append(weights_of(ranker))
    assert_same_weights(*found, atol=1e-4)


@pytest.mark.parametrize("save_format", ["keras", "tf"])
def test_a_trained_ranker_reloads_and_goes_on(small, tmp_path, save_format):
    rows = small.rows(24)
    ranker = small.ranker()
    ranker.compile("adagrad")
    ranker.fit(data(rows), verbose=0)
    path = str(tmp_path / "ranker") + (
        ".keras" if save_format == "keras" else ""
    )
    ranker.save(path, save_format=save_format)
    loaded = keras.models.load_model(path)
    assert type(loaded) is type(ranker)
    np.testing.assert_array_equal(
        loaded.predict(data(rows))["clicked"],
        ranker.predict(data(rows))["clicked"],
    )
    if save_format == "keras":
        for model in (ranker, loaded):
            model.fit(data(rows), verbose=0)
        assert_same_weights(weights_of(loaded), weights_of(ranker))


MIRRORED = """
import sys
import numpy as np
import tfadrec
from tfadrec.core.door import keras, tf

cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from tests.models.conftest import make_ranker, make_rows

def train(strategy):
    with strategy.scope():
        ranker = make_ranker()
        ranker.compile(keras.optimizers.SGD(0.5))
    rows = make_rows(16)
    ranker.fit(
        tf.data.Dataset.from_tensor_slices(rows).batch(8), verbose=0
    )
    return ranker

one = train(tf.distribute.get_strategy())
two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
assert len(two.trainable_weights) == len(one.trainable_weights)
moved = 0
start = make_ranker()
for a, b, c in zip(*(m.trainable_weights for m in (one, two, start))):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-3, atol=1e-5)
    moved = max(moved, np.abs(a.numpy() - c.numpy()).max())
assert moved > 0.01
print("same")
"""


@pytest.mark.slow
def test_two_replicas_train_as_one_device():
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(tfadrec.__file__).parents[1],
        check=False,
    )
    assert done.stdout.endswith("same\n"), done.stderr[-2000:]


def test_no_task(small):
    with pytest.raises(ValueError, match=r"a label\. Received: tasks=\(\)"):
        small.ranker(tasks=())
