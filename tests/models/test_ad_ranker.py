"""AdRanker as a Keras user meets it."""

import math
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics

import tfadrec
from tfadrec import layers
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError

serializable = keras.saving.register_keras_serializable("tests")


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
        own = ("candidate_ads", "bid", "slot")
        one = {**inputs, **{name: inputs[name][:, c] for name in own}}
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


def scatter(model):
    """Makes weights that start at zero, or alike, matter."""
    random = np.random.default_rng(6)
    for variable in model.trainable_weights:
        variable.assign(random.normal(0, 0.3, variable.shape))


def test_every_input_matters(small):
    ranker = small.ranker()
    scatter(ranker)
    inputs, _ = small.rows()
    others, _ = small.rows(seed=1)
    logits = ranker(inputs)["clicked"]
    for name, value in others.items():
        changed = ranker({**inputs, name: value})["clicked"]
        assert np.abs(changed - logits).max() > 1e-3, name


@pytest.mark.parametrize(
    ("tasks", "moved", "still"),
    [
        (("clicked",), "clicked", None),
        (("converted",), "converted", None),
        (("liked", "clicked"), "clicked", "liked"),
        # A conversion moves with the click that it needs.
        (("clicked", "converted"), "clicked", "converted_if_clicked"),
    ],
)
def test_biases_are_a_linear_path_to_one_task(small, tasks, moved, still):
    ranker = small.ranker(tasks=tasks)
    inputs, _ = small.rows()
    before = ranker(inputs)
    tables = {
        v.name.split("/")[1]: v
        for v in ranker.weights
        if v.name.endswith("embedding_and_bias:0")
    }
    random = np.random.default_rng(0)
    expected = before[moved].numpy()
    for tower, name in (
        ("ad_tower", "candidate_ads"),
        ("user_tower", "user_id"),
    ):
        value = tables[tower].numpy()
        value[:, -1] = random.normal(size=len(value))
        tables[tower].assign(value)
        expected += value[inputs[name].numpy(), -1]
    after = ranker(inputs)
    np.testing.assert_allclose(after[moved], expected, rtol=1e-4, atol=1e-5)
    if still:
        np.testing.assert_array_equal(after[still], before[still])


def test_fit_evaluate_and_predict(small):
    """The step is traced once: the optimiser has its variables before."""
    ranker = small.ranker()
    traced, step = [], ranker.train_step
    ranker.train_step = lambda rows: traced.append(rows) or step(rows)
    ranker.compile(
        keras.optimizers.Adam(0.01),
        metrics=[keras.metrics.AUC(from_logits=True, name="auc")],
    )
    rows = small.rows(60)
    history = ranker.fit(
        data(rows), validation_data=data(rows), epochs=2, verbose=0
    )
    assert len(traced) == 1
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


def test_a_single_batch_is_predicted_without_a_graph(small):
    ranker, rows = small.ranker(), small.rows(60)
    expected = ranker(rows[0])["clicked"]
    told = ranker.predict(tf.data.Dataset.from_tensors(rows))
    assert ranker.predict_function is None
    np.testing.assert_allclose(told["clicked"], expected, atol=1e-6)
    several = ranker.predict(data(rows))
    assert ranker.predict_function is not None
    np.testing.assert_allclose(several["clicked"], expected, atol=1e-5)


def test_a_label_that_is_no_task_is_not_read(small):
    inputs, labels = small.rows(labels=("clicked", "converted"))
    found = []
    for rows in ((inputs, labels), (inputs, {"clicked": labels["clicked"]})):
        ranker = small.ranker()
        auc = keras.metrics.AUC(from_logits=True, name="auc")
        ranker.compile("sgd", metrics=[auc], run_eagerly=True)
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


@pytest.mark.parametrize(
    "tasks", [("clicked", "converted"), ("converted", "liked", "clicked")]
)
@pytest.mark.parametrize("multitask", [False, True])
def test_a_conversion_is_a_click_and_what_follows(small, tasks, multitask):
    layer = layers.MMoE(len(tasks), hidden_units=(8,)) if multitask else None
    ranker = small.ranker(tasks=tasks, multitask=layer)
    scatter(ranker)
    logits = ranker(small.rows(slate=3)[0])
    assert set(logits) == {*tasks, "converted_if_clicked"}
    pctr, pctcvr, pcvr = (
        sigmoid(logits[name].numpy().astype(np.float64))
        for name in ("clicked", "converted", "converted_if_clicked")
    )
    assert np.ptp(pcvr) > 0.1
    np.testing.assert_allclose(pctcvr, pctr * pcvr, rtol=1e-5)


@pytest.mark.parametrize(
    "tasks", [("converted",), ("clicked", "liked"), ("liked", "converted")]
)
def test_other_tasks_are_heads_side_by_side(small, tasks):
    logits = small.ranker(tasks=tasks)(small.rows()[0])
    assert tuple(logits) == tasks


def test_conversions_are_learned_over_all_impressions(small):
    """Also a row without a click tells the pCVR something."""
    ranker = small.ranker(tasks=("clicked", "converted"))
    ranker.compile("sgd")
    inputs, _ = small.rows()
    none = tf.zeros(12)
    with tf.GradientTape() as tape:
        loss = ranker.compute_loss(
            (inputs, {"clicked": none, "converted": none})
        )
    head = [
        v
        for v in ranker.trainable_weights
        if "converted_if_clicked_head" in v.name
    ]
    gradients = tape.gradient(loss, head)
    assert len(gradients) > 4
    assert max(np.abs(g).max() for g in gradients) > 1e-4


def test_metrics_see_the_tasks_alone(small):
    ranker = small.ranker(tasks=("clicked", "converted"))
    rows = small.rows(labels=("clicked", "converted"))
    auc = keras.metrics.AUC(from_logits=True, name="auc")
    for metrics in ([auc], {"clicked": [auc]}):
        ranker.compile("sgd", metrics=metrics, run_eagerly=True)
        ranker.fit(data(rows), verbose=0)
        found = ranker.evaluate(data(rows), verbose=0, return_dict=True)
        tasks = ("clicked", "converted") if metrics == [auc] else ("clicked",)
        assert set(found) == {"loss", *(f"{task}_auc" for task in tasks)}


def test_each_head_reads_its_row(small):
    """Another gate changes what its own task says and nothing else."""
    ranker = small.ranker(
        tasks=("clicked", "liked"),
        multitask=layers.MMoE(2, hidden_units=(8,), name="mmoe"),
    )
    scatter(ranker)
    inputs, _ = small.rows()
    before = ranker(inputs)
    gates = next(v for v in ranker.weights if "mmoe/gates" in v.name)
    gates.assign(gates * np.array([1, -1], np.float32)[:, None, None])
    after = ranker(inputs)
    np.testing.assert_array_equal(after["clicked"], before["clicked"])
    assert np.abs(after["liked"] - before["liked"]).max() > 1e-3


@serializable
class Double(keras.layers.Layer):
    """Twice what it takes, flat."""

    takes = "features"

    def call(self, inputs):
        shape = tf.concat([tf.shape(inputs)[:2], [-1]], axis=0)
        return tf.reshape(2 * inputs, shape)

    def compute_output_shape(self, shape):
        return [*shape[:2], math.prod(shape[2:])]


@serializable
class DoubleFields(Double):
    takes = "fields"


def linear_head(ranker):
    """The kernel of a head without crosses and without a deep part."""
    kernel = next(
        v for v in ranker.weights if v.name.endswith("output/kernel:0")
    )
    kernel.assign(np.random.default_rng(4).normal(size=kernel.shape))
    return kernel.numpy()[:, 0]


def test_an_interaction_of_features_joins_them(small):
    """A linear head on [x, 2 x] with weights a and b is one with a + 2 b."""
    arguments = {"hidden_units": (), "cross_layers": 0}
    ranker = small.ranker(interaction=Double(), **arguments)
    plain = small.ranker(**arguments)
    weights = linear_head(ranker)
    half = len(weights) // 2
    linear_head(plain)
    kernel = next(
        v for v in plain.weights if v.name.endswith("output/kernel:0")
    )
    kernel.assign((weights[:half] + 2 * weights[half:])[:, None])
    inputs, _ = small.rows(slate=2)
    np.testing.assert_allclose(
        ranker(inputs)["clicked"],
        plain(inputs)["clicked"],
        rtol=1e-4,
        atol=1e-5,
    )


def test_an_interaction_of_fields_takes_user_and_ad(small):
    """The fields are the user vector and then those of the ad tower."""
    ranker = small.ranker(
        interaction=DoubleFields(), hidden_units=(), cross_layers=0
    )
    inputs, _ = small.rows(slate=2)
    seen = []
    ranker.interaction.call = lambda fields: (
        seen.append(fields) or Double.call(ranker.interaction, fields)
    )
    ranker(inputs)
    (fields,) = seen
    # Id, brand, price and copy are the ad's, and 8 is the width.
    assert fields.shape == [12, 2, 1 + 4, 8]
    ads = ranker.ad_tower(inputs["candidate_ads"])
    np.testing.assert_allclose(fields[:, :, 1:], ads["fields"], atol=1e-6)
    weights = linear_head(ranker)
    # User, ad and product; match; hour and scroll; bid and slot; fields.
    assert len(weights) == 3 * 8 + 1 + 8 + 1 + 1 + 8 + 5 * 8


@serializable
class SameKind(keras.layers.Layer):
    """How many events are of the candidate's kind, in every place of D."""

    def call(self, inputs):
        same = (
            inputs["category"][:, None, :]
            == inputs["target_category"][:, :, None]
        )
        count = tf.reduce_sum(
            tf.cast(same & inputs["mask"][:, None, :], tf.float32), axis=-1
        )
        return count[:, :, None] * tf.ones_like(inputs["target"])


def test_the_kind_of_an_ad_reaches_the_encoder(small):
    ranker = small.ranker(encoder=SameKind(name="same"), category="brand")
    tower = ranker.user_tower
    ids = [v for v in tower.weights if "id/embedding_and_bias" in v.name]
    for variable in [*tower.features.trainable_weights, *ids]:
        variable.assign(tf.zeros_like(variable))  # added to what it says
    inputs, _ = small.rows(slate=3)
    seen = {}
    call = ranker.user_tower.call
    ranker.user_tower.call = lambda inputs, **_: (
        seen.update(call(inputs)) or seen
    )
    ranker(inputs)
    brands = next(v for v in ranker.weights if v.name.endswith("brand_table:0"))
    brands = brands.numpy()
    length = inputs["history_length"].numpy()
    for row in range(12):
        events = inputs["history_ads"].numpy()[row, : length[row]]
        for c, ad in enumerate(inputs["candidate_ads"].numpy()[row]):
            expected = np.sum(brands[events] == brands[ad])
            np.testing.assert_array_equal(seen["user"][row, c], expected)


def test_sample_weights(small):
    ranker = small.ranker()
    ranker.compile("sgd", run_eagerly=True)
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


@pytest.mark.parametrize(
    "loss",
    [
        "binary_crossentropy",
        "BinaryCrossentropy",
        keras.losses.BinaryCrossentropy(),
        {"clicked": keras.losses.binary_focal_crossentropy},
    ],
)
def test_a_loss_of_probabilities_is_refused(small, loss):
    with pytest.raises(InputError, match="`loss` must read logits"):
        small.ranker().compile("sgd", loss=loss)
    own = keras.losses.BinaryCrossentropy(from_logits=True)
    small.ranker().compile("sgd", loss=own)


def test_a_step_is_that_of_the_gradient(small):
    ranker, rows = small.ranker(), small.rows()
    before = weights_of(ranker)
    ranker.compile(keras.optimizers.SGD(0.5), run_eagerly=True)
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
    ranker.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
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


@pytest.mark.slow
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
            # All alike, so that gradients do not cancel out to rounding.
            inputs, labels = small.rows(256)
            labels = {task: tf.ones_like(v) for task, v in labels.items()}
            ranker.fit(data((inputs, labels), 256), verbose=0)
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


@pytest.mark.slow
def test_xla_trains_the_same(small):
    rows = small.rows(24)
    found = []
    for jit_compile in (False, True):
        ranker = small.ranker()
        ranker.compile(keras.optimizers.SGD(0.1), jit_compile=jit_compile)
        ranker.fit(data(rows, 12), verbose=0)
        found.append(weights_of(ranker))
    assert_same_weights(*found, atol=1e-4)


@pytest.mark.parametrize(
    ("save_format", "eagerly"),
    [
        ("keras", True),
        pytest.param("keras", False, marks=pytest.mark.slow),
        pytest.param("tf", False, marks=pytest.mark.slow),
    ],
)
def test_a_trained_ranker_reloads_and_goes_on(
    small, tmp_path, save_format, eagerly
):
    rows = small.rows(24)
    ranker = small.ranker()
    ranker.compile("adagrad", run_eagerly=eagerly)
    ranker.fit(data(rows), verbose=0)
    path = str(tmp_path / "ranker") + (
        ".keras" if save_format == "keras" else ""
    )
    ranker.save(path, save_format=save_format)
    loaded = keras.models.load_model(path)
    assert type(loaded) is type(ranker)
    loaded.run_eagerly = eagerly
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
from tfadrec import layers
from tfadrec.core.door import keras, tf
from tfadrec.optimizers import CompositeOptimizer, LazyAdam

serializable = keras.saving.register_keras_serializable("tests")

# Adam's step is a matter of sign where a gradient is nearly 0.
OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.5),
    "LazyAdam": lambda: LazyAdam(0.05, epsilon=1e-3),
    "CompositeOptimizer": lambda: CompositeOptimizer(
        {"embedding": LazyAdam(0.05, epsilon=1e-3)}, keras.optimizers.SGD(0.5)
    ),
}

cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from tests.models.conftest import make_ranker, make_rows

def train(strategy):
    with strategy.scope():
        ranker = make_ranker()
        ranker.compile(OPTIMIZERS[sys.argv[1]]())
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
@pytest.mark.parametrize("optimizer", ["SGD", "LazyAdam", "CompositeOptimizer"])
def test_two_replicas_train_as_one_device(optimizer):
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, optimizer],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(tfadrec.__file__).parents[1],
        check=False,
    )
    assert done.stdout.endswith("same\n"), done.stderr[-2000:]


def test_no_task(small):
    with pytest.raises(ValueError, match=r"once\. Received: tasks=\(\)"):
        small.ranker(tasks=())


def test_features_are_a_list(small):
    with pytest.raises(ValueError, match=r"`context` must be a list of what"):
        small.ranker(context={"device": 4})


def test_a_head_is_no_interaction(small):
    with pytest.raises(ValueError, match=r"CTRHead, which has no `takes`"):
        small.ranker(interaction=layers.CTRHead())


def test_an_interaction_takes_features_or_fields(small):
    layer = layers.CrossNetwork()
    layer.takes = "feature"
    with pytest.raises(ValueError, match=r"Received: takes='feature'\."):
        small.ranker(interaction=layer)


def test_a_multitask_layer_for_other_tasks(small):
    with pytest.raises(
        ValueError, match=r"Received: num_tasks=2 for clicked, liked, converted"
    ):
        small.ranker(
            tasks=("clicked", "liked", "converted"), multitask=layers.PLE(2)
        )
