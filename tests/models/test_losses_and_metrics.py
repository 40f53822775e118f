"""What a ranker minimises and measures: rows, slates, weights and tasks."""

import numpy as np
import pytest
import sklearn.metrics

from tests.data import rich_dataset
from tfadrec import layers, losses, models
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.metrics import AUC, RequestAUC


def log_losses(labels, logits):
    """The binary cross-entropy of each row, in float64."""
    labels, logits = np.array(labels, float), np.array(logits, float)
    return np.logaddexp(0, logits) - labels * logits


def compiled(small, **arguments):
    """A ranker that runs eagerly: to trace it takes seconds."""
    compile_with = {"run_eagerly": True, **arguments.pop("compile_with", {})}
    ranker = small.ranker(**arguments)
    ranker.compile("sgd", **compile_with)
    return ranker


def loss_of(ranker, *rows):
    return float(ranker.compute_loss(rows))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return rich_dataset.make(tmp_path_factory.mktemp("rich"))


def for_dataset(dataset, **settings):
    keras.utils.set_random_seed(0)
    settings = {"ad_tower": {"width": 4}, "hidden_units": (4,), **settings}
    ranker = models.AdRanker.for_dataset(
        dataset, layers.DIN(hidden_units=(4,), name="din"), **settings
    )
    ranker.build()
    random = np.random.default_rng(0)
    for variable in ranker.trainable_weights:
        variable.assign(random.normal(0, 0.3, variable.shape))
    return ranker


def test_by_row_and_by_request_the_loss_is_the_same(dataset):
    """Also its gradient, with the weights of rows and with two tasks."""
    ranker = for_dataset(
        dataset, tasks=("clicked", "revenue"), losses={"revenue": "squared"}
    )
    ranker.compile("sgd")
    found = []
    for by in ("row", "request"):
        [batch] = dataset.batches(10**6, by=by)
        with tf.GradientTape() as tape:
            loss = ranker.compute_loss(batch)
        gradients = tape.gradient(loss, ranker.trainable_weights)
        found.append([loss, *map(tf.convert_to_tensor, gradients)])
    for row, request in zip(*found, strict=True):
        np.testing.assert_allclose(row, request, rtol=1e-4, atol=1e-5)
    assert float(found[0][0]) == pytest.approx(float(found[1][0]), abs=1e-5)


def test_padding_has_no_part_in_loss_and_gradient(small):
    ranker = compiled(small)
    inputs, labels = small.rows(slate=4)
    mask = np.arange(4) < np.array([4, 1, 2, 3] * 3)[:, None]
    inputs["candidate_mask"] = tf.constant(mask)
    logits = ranker(inputs)["clicked"].numpy()
    expected = log_losses(labels["clicked"], logits)[mask].mean()
    found = []
    for garbage in (1.0, np.nan):
        padded = {"clicked": tf.where(mask, labels["clicked"], garbage)}
        with tf.GradientTape() as tape:
            loss = ranker.compute_loss((inputs, padded))
        assert float(loss) == pytest.approx(expected, abs=1e-5)
        found.append(tape.gradient(loss, ranker.trainable_weights))
    for one, other in zip(*found, strict=True):
        one, other = tf.convert_to_tensor(one), tf.convert_to_tensor(other)
        assert np.isfinite(other).all()
        np.testing.assert_array_equal(one, other)


def test_weights_of_rows_and_of_tasks(small):
    tasks = ("clicked", "liked")
    ranker = compiled(small, tasks=tasks)
    inputs, labels = small.rows(labels=tasks)
    logits = ranker(inputs)
    random = np.random.default_rng(0)
    weights = {t: random.integers(0, 4, 12).astype(np.float32) for t in tasks}
    each = {t: log_losses(labels[t], logits[t]) for t in tasks}
    # All tasks have the same ones, or each its own, or one none.
    for given, own in (
        (weights["liked"], {t: weights["liked"] for t in tasks}),
        (weights, weights),
        (
            {"liked": weights["liked"]},
            {"clicked": 1, "liked": weights["liked"]},
        ),
    ):
        expected = sum((own[t] * each[t]).mean() for t in tasks)
        tensors = tf.nest.map_structure(tf.constant, given)
        assert loss_of(ranker, inputs, labels, tensors) == pytest.approx(
            expected, abs=1e-5
        )


def test_weights_of_a_slate(small):
    """The sum over real rows, divided by how many there are."""
    ranker = compiled(small)
    inputs, labels = small.rows(slate=3)
    mask = np.arange(3) < np.array([3, 1, 2] * 4)[:, None]
    inputs["candidate_mask"] = tf.constant(mask)
    weights = np.random.default_rng(0).uniform(0, 2, (12, 3))
    each = log_losses(labels["clicked"], ranker(inputs)["clicked"])
    found = loss_of(ranker, inputs, labels, tf.constant(weights, tf.float32))
    assert found == pytest.approx((weights * each)[mask].mean(), abs=1e-5)


def test_loss_weights(small):
    """Of the constructor, and in place of these those of `compile`."""
    tasks = ("clicked", "liked")
    inputs, labels = small.rows(labels=tasks)
    for arguments, weights in (
        ({}, (1, 1)),
        ({"loss_weights": {"liked": 0.5}}, (1, 0.5)),
        ({"compile_with": {"loss_weights": {"clicked": 3}}}, (3, 1)),
        ({"loss_weights": {"clicked": 0}}, (0, 1)),
        (
            {
                "loss_weights": {"liked": 0.5, "clicked": 2},
                "compile_with": {"loss_weights": {"clicked": 3}},
            },
            (3, 0.5),
        ),
    ):
        ranker = compiled(small, tasks=tasks, **arguments)
        logits = ranker(inputs)
        expected = sum(
            weight * log_losses(labels[task], logits[task]).mean()
            for task, weight in zip(tasks, weights, strict=True)
        )
        assert loss_of(ranker, inputs, labels) == pytest.approx(
            expected, abs=1e-5
        )


@pytest.mark.parametrize("slate", [None, 3])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_label_weighs_the_rows_of_a_task(small, slate, is_weighted, tmp_path):
    tasks = ("clicked", "liked")
    given = {} if slate is None else {"slate": slate}
    inputs, labels = small.rows(labels=tasks, **given)
    random, shape = np.random.default_rng(0), labels["clicked"].shape
    margin, all_count = random.uniform(0, 3, (2, *shape)).astype(np.float32)
    labels["margin"] = tf.constant(margin)
    ranker = compiled(small, tasks=tasks, row_weights={"liked": "margin"})
    logits = ranker(inputs)
    more = [tf.constant(all_count)] if is_weighted else []
    if not is_weighted:
        all_count = np.ones_like(margin)
    each = {t: log_losses(labels[t], logits[t]) * all_count for t in tasks}
    expected = each["clicked"].mean() + (margin * each["liked"]).mean()
    found = loss_of(ranker, inputs, labels, *more)
    assert found == pytest.approx(expected, abs=1e-5)
    ranker.save(tmp_path / "ranker.keras")
    again = keras.models.load_model(tmp_path / "ranker.keras")
    assert loss_of(again, inputs, labels, *more) == pytest.approx(found)


def test_loss_weights_are_saved(small, tmp_path):
    tasks = ("clicked", "liked")
    rows = small.rows(labels=tasks)
    ranker = compiled(
        small,
        tasks=tasks,
        loss_weights={"liked": 0.5},
        compile_with={"loss_weights": {"clicked": 3}},
    )
    ranker.save(tmp_path / "ranker.keras")
    again = keras.models.load_model(tmp_path / "ranker.keras")
    assert loss_of(again, *rows) == pytest.approx(loss_of(ranker, *rows))


def test_classes_have_no_weights(small):
    ranker = compiled(small)
    rows = tf.data.Dataset.from_tensors(small.rows())
    with pytest.raises(
        ValueError, match=r"several tasks\. Received: class_weight=\{1: 2\}"
    ):
        ranker.fit(rows, class_weight={1: 2})


def auc_of(labels, logits, weights=None):
    return sklearn.metrics.roc_auc_score(
        np.ravel(labels), np.ravel(logits), sample_weight=weights
    )


@pytest.mark.parametrize(
    "metrics", ["auc", ["auc"], {"clicked": "auc"}, {"clicked": ["auc"]}]
)
def test_auc_by_its_name_reads_logits(small, metrics):
    """Exact, where Keras' own would take logits for probabilities."""
    ranker = compiled(small, compile_with={"metrics": metrics})
    rows = small.rows(60)
    found = ranker.evaluate(
        tf.data.Dataset.from_tensors(rows), verbose=0, return_dict=True
    )
    assert set(found) == {"loss", "auc"}
    expected = auc_of(rows[1]["clicked"], ranker(rows[0])["clicked"])
    assert found["auc"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("metrics", ["accuracy", ["acc"], {"clicked": "mse"}])
def test_other_metrics_have_no_name(small, metrics):
    with pytest.raises(InputError, match=r"metric.*auc.*Received: '"):
        small.ranker().compile("sgd", metrics=metrics)


def test_weighted_metrics(small):
    ranker = compiled(
        small,
        compile_with={
            "metrics": [AUC(name="plain")],
            "weighted_metrics": [AUC(name="weighted")],
        },
    )
    inputs, labels = small.rows(60)
    # Clicks that are ranked high count for more.
    weights = np.where(labels["clicked"], np.arange(60) % 4, 1.0)
    weights = weights.astype(np.float32)
    batch = tf.data.Dataset.from_tensors((inputs, labels, weights))
    found = ranker.evaluate(batch, verbose=0, return_dict=True)
    y, z = labels["clicked"].numpy(), ranker(inputs)["clicked"].numpy()
    assert found["plain"] == pytest.approx(auc_of(y, z), abs=1e-3)
    assert found["weighted"] == pytest.approx(auc_of(y, z, weights), abs=1e-3)
    assert abs(auc_of(y, z) - auc_of(y, z, weights)) > 0.01


def test_metrics_of_slates_ignore_padding(small):
    metrics = [AUC(name="auc"), RequestAUC(name="r")]
    ranker = compiled(
        small, compile_with={"metrics": metrics, "run_eagerly": False}
    )
    inputs, labels = small.rows(40, slate=4)
    mask = np.arange(4) < np.array([4, 2, 3, 4] * 10)[:, None]
    inputs["candidate_mask"] = tf.constant(mask)
    z = ranker(inputs)["clicked"].numpy()
    y = labels["clicked"].numpy()
    of_requests = [
        auc_of(y[b][mask[b]], z[b][mask[b]])
        for b in range(40)
        if 0 < y[b][mask[b]].sum() < mask[b].sum()
    ]
    for padding in (0.0, 1.0):
        padded = {"clicked": tf.where(mask, y, padding)}
        found = ranker.evaluate(
            tf.data.Dataset.from_tensors((inputs, padded)),
            verbose=0,
            return_dict=True,
        )
        assert found["auc"] == pytest.approx(auc_of(y[mask], z[mask]), abs=1e-3)
        assert found["r"] == pytest.approx(np.mean(of_requests), abs=1e-3)


@pytest.mark.parametrize(
    ("tasks", "given", "run_eagerly"),
    [
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                # To trace so many features takes ten seconds.
                (("clicked", "revenue"), {"revenue": "ziln"}, False),
                (
                    ("revenue",),
                    {"revenue": {"class": "huber", "delta": 2.0}},
                    True,
                ),
                (("clicked",), {"clicked": "jrc"}, True),
            )
        ),
        (
            ("revenue", "clicked"),
            {"revenue": "squared", "clicked": {"binary": 1, "lambda": 0.5}},
            True,
        ),
    ],
)
def test_losses_of_tasks_train_and_save(
    dataset, tasks, given, run_eagerly, tmp_path
):
    ranker = for_dataset(dataset, tasks=tasks, losses=given)
    ranker.compile(keras.optimizers.Adam(0.03), run_eagerly=run_eagerly)
    # All requests in each step: the loss falls from one to the next.
    batches = dataset.batches(10**6, by="request").repeat()
    history = ranker.fit(batches, steps_per_epoch=1, epochs=4, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    ranker.save(tmp_path / "ranker.keras")
    again = keras.models.load_model(tmp_path / "ranker.keras")
    [(inputs, *_)] = dataset.batches(10**6)
    found, expected = (model(inputs) for model in (again, ranker))
    assert set(found) == set(tasks)
    for task in tasks:
        assert found[task].shape == (len(dataset),)
        assert np.isfinite(found[task]).all()
        np.testing.assert_array_equal(found[task], expected[task])
    [batch] = dataset.batches(10**6, by="request")
    assert loss_of(again, *batch) == pytest.approx(
        loss_of(ranker, *batch), rel=1e-5
    )


def test_a_loss_of_several_outputs(dataset):
    """What it reads has an axis more than what is predicted: the mean."""
    ranker = for_dataset(
        dataset, tasks=("clicked", "revenue"), losses={"revenue": "ziln"}
    )
    [(inputs, _, _)] = dataset.batches(10**6)
    outputs, answers = ranker(inputs, as_outputs=True), ranker(inputs)
    ziln = losses.ZeroInflatedLogNormal()
    assert outputs["revenue"].shape == [len(dataset), ziln.num_outputs]
    np.testing.assert_allclose(
        answers["revenue"], ziln.expected(outputs["revenue"]), rtol=1e-5
    )
    np.testing.assert_array_equal(answers["clicked"], outputs["clicked"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clicked": "jrc"}, "Received: 'jrc' for clicked"),
        ({"converted": "ziln"}, "Received: '.*' for converted"),
        ({"converted": "squared"}, "Received: '.*' for converted"),
    ],
)
def test_losses_that_clicks_and_conversions_cannot_have(small, given, message):
    with pytest.raises(ValueError, match=rf"losses of one logit\. {message}"):
        small.ranker(tasks=("clicked", "converted"), losses=given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"losses": {"liked": "binary"}},
         r"`losses` must be of the tasks clicked\. Received: liked"),
        ({"loss_weights": {"liked": 1}},
         r"`loss_weights` must be of the tasks clicked\. Received: liked"),
        ({"row_weights": {"liked": "margin"}},
         r"`row_weights` must be of the tasks clicked\. Received: liked"),
        ({"loss_weights": {"clicked": 0}},
         r"a task that is learned\. Received: 0 for clicked"),
        ({"loss_weights": {"clicked": -0.1}}, r"numbers >= 0\. Received: -0"),
        ({"loss_weights": {"clicked": "2"}}, r"Received: '2' for 'clicked'"),
        ({"loss_weights": {"clicked": float("nan")}}, "Received: nan for"),
    ],
)  # fmt: skip
def test_bad_losses_and_weights(small, arguments, message):
    with pytest.raises(ValueError, match=message):
        small.ranker(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": {"liked": "mse"}}, r"`loss` must be of the tasks clicked"),
        ({"metrics": {"liked": "auc"}}, "`metrics` must be of the tasks clic"),
        ({"weighted_metrics": {"liked": ["auc"]}}, "`weighted_metrics` must b"),
        ({"loss_weights": [2.0]}, r"task -> weight\. Received: \[2\.0\]"),
        ({"loss_weights": {"clicked": -1}}, r"Received: -1 for 'clicked'"),
        ({"loss": losses.ZeroInflatedLogNormal()},
         r"must read 1 output\(s\) of its head\. Received: .*which reads 3"),
    ],
)  # fmt: skip
def test_bad_arguments_of_compile(small, arguments, message):
    with pytest.raises(ValueError, match=message):
        small.ranker().compile("sgd", **arguments)


def test_a_task_loss_in_place_of_the_own(small):
    ranker = compiled(small, compile_with={"loss": losses.SquaredError()})
    inputs, labels = small.rows(slate=3)
    inputs["candidate_mask"] = mask = tf.constant([[True, True, False]] * 12)
    errors = (ranker(inputs)["clicked"] - labels["clicked"]).numpy()
    assert loss_of(ranker, inputs, labels) == pytest.approx(
        np.square(errors)[mask.numpy()].mean(), rel=1e-4
    )
