"""The linear path begins at a logistic regression on training rows."""

import types

import numpy as np
import pytest
import scipy.special

from tests.training import small
from tfadrec import data, layers, models, training
from tfadrec.core.door import tf
from tfadrec.layers import TextMatching
from tfadrec.losses import get
from tfadrec.models.start_linear import start_linear

ROWS = 100_000


def clicks(logits, seed=0):
    random = np.random.default_rng(seed)
    return (random.random(len(logits)) < scipy.special.expit(logits)) * 1


def begun(x, labels, appeal=0.0, weights=None, loss="binary"):
    """What multiplies the text matching's weights, of that logit and labels."""
    matching = TextMatching()
    matching.build()
    ranker = types.SimpleNamespace(
        biased_task="clicked",
        task_losses={"clicked": get(loss)},
        heads={"clicked": types.SimpleNamespace(start_at=lambda _: None)},
        rates=None,
        text_matching=matching,
        ad_tower=types.SimpleNamespace(
            encode=lambda wanted: {
                "history": None,
                "slate": {"text_appeal": wanted["slate"][0] * appeal},
            },
            history_parts=(),
            candidate_parts=(),
            use_id=False,
            num_rows=1,
            slopes=None,
            factor_traits=0,
        ),
        user_tower=types.SimpleNamespace(reads_rows=False, slopes=None),
        context_slopes=None,
        match_texts=lambda inputs, *_: (None, inputs["x"][:, None]),
    )
    # The number of an ad stands for what its text is worth.
    inputs = {
        "x": tf.constant(x, tf.float32),
        "history_ads": tf.zeros([len(x)], tf.int32),
        "candidate_ads": tf.constant(x, tf.float32),
    }
    given = () if weights is None else (weights,)
    start_linear(ranker, [(inputs, {"clicked": labels}, *given)])
    (found,) = (w for w in matching.weights if w.name.endswith("weights:0"))
    factors = found.numpy() / [3, 3, 1, 1]
    assert np.ptp(factors) < 1e-6
    return factors[0]


@pytest.mark.parametrize(("factor", "level"), [(0.5, -2.0), (2.0, 1.0)])
def test_the_factor_that_made_the_clicks_is_found(factor, level):
    x = np.random.default_rng(1).normal(0.7, 1.4, ROWS)
    found = begun(x, clicks(factor * x + level))
    assert found == pytest.approx(factor, rel=0.03)


def test_what_is_known_is_not_counted_twice():
    x = np.random.default_rng(1).normal(0, 1, ROWS)
    found = begun(x, clicks(1.3 * x), appeal=0.8)
    assert found == pytest.approx(0.5, rel=0.05)


def test_texts_that_tell_nothing_or_the_contrary_count_nothing():
    x = np.random.default_rng(1).normal(0.7, 1.4, ROWS)
    assert begun(x, clicks(-0.5 * x)) == 0.0
    unlike = begun(x, clicks(np.full(ROWS, -2.0)))
    assert unlike == pytest.approx(0.0, abs=0.01)


def test_rows_of_more_weight_count_more():
    x = np.random.default_rng(1).normal(0, 1, ROWS)
    odd = np.arange(ROWS) % 2
    labels = clicks(np.where(odd, 1.0, 0.2) * x)
    assert begun(x, labels, weights=1.0 * odd) == pytest.approx(1.0, rel=0.03)


def test_rows_that_cannot_tell_leave_it_at_one():
    zeros = np.zeros(100)
    for label in (0, 1):
        found = begun(zeros, np.full(100, label))
        assert found == pytest.approx(1.0, abs=1e-6)
    x = np.random.default_rng(1).normal(0.7, 1.4, 100)
    assert begun(x, clicks(0.5 * x), loss="huber") == 1.0
    assert begun(x, clicks(0.5 * x), weights=zeros) == 1.0


@pytest.fixture(scope="module")
def shown():
    """A dataset in which ads have levels, and rows of it."""
    dataset = data.open_dataset(small.world())
    rows = dataset.impressions
    levels = np.random.default_rng(0).normal(0, 2, len(dataset.catalogue) + 1)
    rows.labels["clicked"][:] = clicks(levels[rows.ads])
    return dataset, levels


def test_an_untrained_ranker_knows_ads(shown):
    """Levels of ads, none of users, and the head's intercept."""
    dataset, levels = shown
    ranker = models.AdRanker.for_dataset(
        dataset, layers.DIN(), fold_in=0, ad_tower={"width": 4}
    )
    ranker.build()
    heads = {name: head.get_weights() for name, head in ranker.heads.items()}
    start_linear(ranker, dataset.batches(100))
    found = ranker.ad_tower.columns(tf.range(ranker.ad_tower.num_rows))
    known = np.unique(dataset.impressions.ads)
    biases = found["bias"].numpy()
    assert np.corrcoef(biases[known], levels[known])[0, 1] > 0.9
    assert biases[0] == 0
    for name, before in heads.items():
        after = ranker.heads[name].get_weights()
        changed = [
            i for i in range(len(after)) if (after[i] != before[i]).any()
        ]
        assert len(changed) == 1
        assert after[changed[0]].shape == (1,)


def test_a_training_begins_there(shown, tmp_path):
    dataset, _ = shown
    ranker = training.build_ranker(small.config(), dataset)
    ranker.optimizer.learning_rate = 0.0
    parts = data.split_by_time(dataset)[:2]
    training.fit(ranker, *parts, tmp_path / "run", epochs=1, progress=False)
    assert ranker.ad_tower.columns(tf.range(3))["bias"].numpy()[1:].any()
