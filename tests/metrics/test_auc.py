import json
import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics

from tests.metrics import slates
from tfadrec.core.door import keras, tf
from tfadrec.metrics import AUC


def sample(n=100_000, centre=-4.6, spread=1.0, seed=0):
    """About 1.6 % clicks; logits of the given mean and deviation."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-4.6, 1.0, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(np.float32)
    logits = centre + spread * (truth + 4.6)
    return labels, logits.astype(np.float32)


def auc_of(labels, logits, weights=None):
    metric = AUC()
    metric.update_state(labels, logits, weights)
    return float(metric.result())


@pytest.mark.parametrize("centre", [-8.0, -4.6, 0.0])
@pytest.mark.parametrize(
    ("spread", "tolerance"), [(1.5, 2e-6), (0.1, 1e-5), (0.01, 1e-4)]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_near_exact_at_a_low_click_rate(centre, spread, tolerance, seed):
    labels, logits = sample(centre=centre, spread=spread, seed=seed)
    expected = sklearn.metrics.roc_auc_score(labels, logits)
    assert auc_of(labels, logits) == pytest.approx(expected, abs=tolerance)


def test_the_thresholds_of_keras_would_not_do():
    labels, logits = sample()
    keras_auc = keras.metrics.AUC(from_logits=True)
    keras_auc.update_state(labels, logits)
    expected = sklearn.metrics.roc_auc_score(labels, logits)
    assert abs(float(keras_auc.result()) - expected) > 1e-3


def test_by_hand_with_a_tie():
    # Clicks at 3 and 1, others at 2 and 1: 3 beats both, 1 loses and ties.
    assert auc_of([1, 0, 1, 0], [3.0, 2.0, 1.0, 1.0]) == (1 + 1 + 0.5) / 4


def test_logits_outside_the_range_stand_in_the_end_bins():
    assert auc_of([1, 0, 1, 0], [90.0, -90.0, 90.0, 3.0]) == 1.0
    assert auc_of([1, 0], [1e30, 20.0]) == 0.5


def test_batches_add_up_and_shapes_may_be_columns():
    labels, logits = sample(3_000)
    metric = AUC()
    for y, z in zip(np.split(labels, 6), np.split(logits, 6), strict=True):
        metric.update_state(y[:, None], z[:, None])
    assert float(metric.result()) == pytest.approx(
        auc_of(labels, logits), abs=1e-6
    )


def test_sample_weight_is_scikit_learns():
    labels, logits = sample(20_000)
    weights = np.random.default_rng(3).random(20_000).astype(np.float32)
    expected = sklearn.metrics.roc_auc_score(
        labels, logits, sample_weight=weights
    )
    assert auc_of(labels, logits, weights) == pytest.approx(expected, abs=1e-5)
    assert auc_of(labels, logits, weights[:, None]) == pytest.approx(
        expected, abs=1e-5
    )
    assert auc_of(labels, logits, 2.0) == pytest.approx(
        auc_of(labels, logits), abs=1e-6
    )


@pytest.mark.parametrize("garbage", [np.nan, np.inf, 99.0])
def test_slates_are_their_real_rows(garbage):
    clicks, logits, mask = slates.sample(garbage=garbage)
    found = auc_of(clicks, logits, np.float32(mask))
    expected = sklearn.metrics.roc_auc_score(clicks[mask], logits[mask])
    assert found == pytest.approx(expected, abs=1e-5)
    assert auc_of(clicks[mask], logits[mask]) == pytest.approx(found, abs=1e-6)


def test_a_weight_of_a_request_is_that_of_its_rows():
    clicks, logits, _ = slates.sample(garbage=0.0)
    weights = np.random.default_rng(0).random(len(clicks)).astype(np.float32)
    expected = sklearn.metrics.roc_auc_score(
        clicks.ravel(), logits.ravel(), sample_weight=weights.repeat(12)
    )
    for each in (weights, weights[:, None]):
        assert auc_of(clicks, logits, each) == pytest.approx(expected, abs=1e-5)
    # Of one row each, with or without an axis more.
    for labels, scores, each in (
        (clicks[:, 0], logits[:, 0], weights[:, None]),
        (clicks[:, :1], logits[:, :1], weights),
    ):
        assert auc_of(labels, scores, each) == pytest.approx(
            auc_of(clicks[:, 0], logits[:, 0], weights), abs=1e-6
        )


def test_merge_state_is_one_metric_over_both():
    labels, logits = sample(4_000)
    one, other = AUC(), AUC()
    one.update_state(labels[:1000], logits[:1000])
    other.update_state(labels[1000:], logits[1000:])
    one.merge_state([other])
    assert float(one.result()) == pytest.approx(
        auc_of(labels, logits), abs=1e-6
    )


def test_undefined_is_nan_until_reset():
    metric = AUC()
    assert np.isnan(metric.result())
    metric.update_state([0, 0], [1.0, 2.0])
    assert np.isnan(metric.result())
    metric.update_state([1], [3.0])
    assert float(metric.result()) == 1.0
    for diverged in (np.nan, np.inf, -np.inf):
        metric.update_state([0], [diverged])
        assert np.isnan(metric.result())
        metric.reset_state()
        metric.update_state([0, 1], [1.0, 2.0])
        assert float(metric.result()) == 1.0


@pytest.mark.parametrize("jit_compile", [False, True])
def test_inside_a_compiled_function(jit_compile):
    labels, logits = sample(5_000)
    metric = AUC()

    @tf.function(jit_compile=jit_compile)
    def step(y, z):
        metric.update_state(y, z)
        return metric.result()

    value = float(step(tf.constant(labels), tf.constant(logits)))
    assert value == pytest.approx(auc_of(labels, logits), abs=1e-6)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_counts_are_float32_whatever_comes_in(dtype):
    labels, logits = sample(5_000)
    rounded = tf.cast(logits, dtype)
    metric = AUC(dtype=dtype.name)
    metric.update_state(labels, rounded)
    assert metric.counts.dtype == tf.float32
    assert float(metric.result()) == pytest.approx(
        sklearn.metrics.roc_auc_score(labels, np.float64(rounded)), abs=2e-6
    )


def test_config_survives_json():
    metric = AUC(name="clicked_auc")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is AUC
    assert again.name == "clicked_auc"
    assert AUC().name == "auc"


def linear_model():
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(2,))])
    model.compile(
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[AUC()],
    )
    return model


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.slow)])
def evaluated(request):
    """How a saved model is read and measured: here, or in a fresh process."""
    return in_a_fresh_process if request.param else here


def here(path, inputs, labels):
    return keras.models.load_model(path).evaluate(
        inputs, labels, verbose=0, return_dict=True
    )["auc"]


def in_a_fresh_process(path, inputs, labels):
    data = path.with_suffix(".npz")
    np.savez(data, inputs=inputs, labels=labels)
    code = f"""
import numpy as np, tfadrec
from tfadrec.core.door import keras
data = np.load({str(data)!r})
model = keras.models.load_model({str(path)!r})
measured = model.evaluate(
    data["inputs"], data["labels"], verbose=0, return_dict=True)
print(measured["auc"])
"""
    return float(run(code))


def test_in_compile_evaluate_and_after_reload(tmp_path, evaluated):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(500, 2)).astype(np.float32)
    labels = (inputs[:, :1] + rng.normal(size=(500, 1)) > 1).astype(np.float32)
    model = linear_model()
    history = model.fit(inputs, labels, verbose=0)
    assert 0 < history.history["auc"][0] < 1
    expected = sklearn.metrics.roc_auc_score(
        labels, model.predict(inputs, verbose=0)
    )
    measured = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    assert measured["auc"] == pytest.approx(expected, abs=1e-4)

    path = tmp_path / "model.keras"
    model.save(path)
    found = evaluated(path, inputs, labels)
    assert found == pytest.approx(measured["auc"], abs=1e-6)


@pytest.mark.slow
def test_replicas_add_up():
    code = """
import numpy as np, tfadrec
from tfadrec.core.door import keras, tf
from tfadrec.metrics import AUC
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
rng = np.random.default_rng(0)
logits = rng.normal(size=(64, 1)).astype("float32")
labels = (logits + rng.normal(size=(64, 1)) > 0).astype("float32")
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = keras.Sequential([
        keras.layers.Activation("linear", input_shape=(1,))])
    model.compile(loss="mse", metrics=[AUC()])
data = tf.data.Dataset.from_tensor_slices((logits, labels)).batch(16)
spread = model.evaluate(data, verbose=0, return_dict=True)["auc"]
metric = AUC()
metric.update_state(labels, logits)
print(spread - float(metric.result()))
"""
    assert abs(float(run(code))) < 1e-6


def run(code):
    """The last line that a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]
