import types

import numpy as np
import pytest

from tfadrec.core.door import keras, tf
from tfadrec.layers import CTRHead
from tfadrec.losses import get
from tfadrec.models.start_levels import start_levels

CLICKED = np.array([1, 0, 0, 0, 1, 0, 0, 0], np.float32)
CONVERTED = np.array([1, 0, 0, 0, 0, 0, 0, 0], np.float32)
REVENUE = np.array([9, 0, 0, 0, -1, 0, 0, 0], np.float32)


def started(losses, labels, weights=None, heads=None):
    """What the heads give of features that tell nothing."""
    names = heads or list(losses)
    losses = {task: get(loss) for task, loss in losses.items()}
    made = {
        name: CTRHead(
            (),
            units=loss.num_outputs,
            starts_at_zero=True,
            is_bounded=loss.is_bounded,
        )
        for name, loss in zip(names, losses.values(), strict=True)
    }
    nothing = tf.zeros([1, 2])
    for head in made.values():
        head(nothing)
    ranker = types.SimpleNamespace(
        tasks=tuple(losses), heads=made, task_losses=losses
    )
    start_levels(ranker, labels, weights)
    return {name: head(nothing).numpy()[0] for name, head in made.items()}


def test_a_rate_and_a_mean():
    found = started(
        {"clicked": "binary", "revenue": "squared"},
        {"clicked": CLICKED, "revenue": REVENUE},
    )
    assert found["clicked"] == pytest.approx(np.log(1 / 3), rel=1e-6)
    assert found["revenue"] == pytest.approx(1.0)


def test_conversions_are_of_clicks_and_rows_have_weights():
    weights = np.array([1, 2, 0, 0, 3, 0, 0, 0.0])
    found = started(
        {"clicked": "binary", "converted": "binary"},
        {"clicked": CLICKED, "converted": CONVERTED},
        weights,
        ["clicked", "converted_if_clicked"],
    )
    assert found["clicked"] == pytest.approx(np.log(4 / 2), rel=1e-6)
    assert found["converted_if_clicked"] == pytest.approx(
        np.log(1 / 3), rel=1e-6
    )


def test_a_label_of_one_class_stays_finite():
    found = started({"clicked": "binary"}, {"clicked": np.ones(5)})
    assert 10 < found["clicked"] < 20


@pytest.mark.parametrize("loss", ["jrc", "softmax"])
def test_what_has_no_level_stays_as_it_is(loss):
    assert not started({"clicked": loss}, {"clicked": CLICKED})["clicked"].any()
    nothing = started({"clicked": "binary"}, {"clicked": CLICKED[:0]})
    assert nothing["clicked"] == 0
    nothing = started({"clicked": "binary"}, {"clicked": CLICKED}, 0 * CLICKED)
    assert nothing["clicked"] == 0


AMOUNTS = np.array([0, 4, 0, -1, 1, 16, 0, 0], np.float32)


def test_amounts_begin_at_their_logarithms():
    """Of 1, 4 and 16, with the weights 1, 2 and 1: log 4 and sqrt(2) log 2."""
    weights = np.array([1, 2, 0, 2, 1, 1, 0, 1.0])
    z, mu, r = started({"revenue": "ziln"}, {"revenue": AMOUNTS}, weights)[
        "revenue"
    ]
    assert z == pytest.approx(0.0, abs=1e-6)  # 4 of 8
    assert mu == pytest.approx(np.log(4))
    sigma = np.sqrt(np.average([4, 0, 4], weights=[1, 2, 1])) * np.log(2)
    assert np.log1p(np.exp(r)) + 1e-3 == pytest.approx(sigma)


def test_amounts_stay_within_their_logarithms():
    least, largest = get({"ziln": 2.0}).bounds(AMOUNTS, np.ones(8))
    np.testing.assert_allclose(
        [*least, *largest[:2]],
        [-np.inf, 0, -np.inf, np.inf, np.log(16)],
        rtol=1e-6,
    )
    deviation = np.log([1, 4, 16]).std()
    assert np.logaddexp(0, largest[2]) + 1e-3 == pytest.approx(deviation)


@pytest.mark.parametrize("amounts", [[0, 0], [3, 3], [0, 3]])
def test_amounts_without_a_spread(amounts):
    outputs = started(
        {"revenue": "ziln"}, {"revenue": np.array(amounts, np.float32)}
    )["revenue"]
    mean = float(get("ziln").expected(outputs))
    assert mean == pytest.approx(np.mean(amounts), rel=0.01, abs=1e-5)


def sales(seed, rows):
    """Features, amounts of one row in ten, and their means."""
    random = np.random.default_rng(seed)
    features = random.normal(size=[rows, 12]).astype(np.float32)
    chance = 1 / (1 + np.exp(2.5 - 0.5 * features[:, 0]))
    mu = 1.5 + 0.5 * features[:, 1]
    amounts = np.exp(mu + 1.2 * random.normal(size=rows))
    sold = random.random(rows) < chance
    return features, np.float32(sold * amounts), chance * np.exp(mu + 0.72)


def test_means_of_few_sales_stay_near_the_truth():
    """Without bounds they come to 7,000 times the truth in 40 steps."""
    keras.utils.set_random_seed(0)
    features, amounts, _ = sales(0, 1500)
    others, _, truth = sales(99, 4000)
    loss = get("ziln")
    head = CTRHead((32,), units=3, is_bounded=True)
    head(others)
    ranker = types.SimpleNamespace(
        tasks=("revenue",),
        heads={"revenue": head},
        task_losses={"revenue": loss},
    )
    start_levels(ranker, {"revenue": amounts}, None)
    optimizer = keras.optimizers.Adam(0.01)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            total = tf.reduce_mean(loss(amounts, head(features, training=True)))
        weights = head.trainable_weights
        optimizer.apply_gradients(
            zip(tape.gradient(total, weights), weights, strict=True)
        )
        return total

    losses = []
    for _ in range(3):
        losses += [float(step()) for _ in range(20)]
        mean = loss.expected(head(others)).numpy()
        assert mean.mean() == pytest.approx(truth.mean(), rel=0.7)
        assert mean.max() < amounts.max()
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize("is_weighted", [False, True])
def test_many_rows_are_counted_part_by_part(monkeypatch, is_weighted):
    random = np.random.default_rng(0)
    labels = {
        "clicked": (random.random(500) < 0.2).astype(np.float32),
        "revenue": random.integers(0, 30, 500).astype(np.float32),
    }
    weights = random.random(500) if is_weighted else None
    losses = {"clicked": "binary", "revenue": "squared"}
    expected = started(losses, labels, weights)
    monkeypatch.setattr("tfadrec.core.blocks.ROWS", 64)
    found = started(losses, labels, weights)
    for task, value in expected.items():
        assert found[task] == pytest.approx(value, rel=1e-6)
