import types

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.layers import TextMatching
from tfadrec.losses import get
from tfadrec.models.start_text import _scale, start_text

ROWS = 200_000


def clicks(logits, seed=0):
    random = np.random.default_rng(seed)
    return (random.random(len(logits)) < 1 / (1 + np.exp(-logits))).astype(int)


@pytest.mark.parametrize(("factor", "level"), [(0.5, -2.0), (2.0, 1.0)])
def test_the_factor_that_made_the_clicks_is_found(factor, level):
    x = np.random.default_rng(1).normal(0.7, 1.4, ROWS)
    labels = clicks(factor * x + level)
    assert _scale(x, 0 * x, labels, np.ones(ROWS)) == pytest.approx(
        factor, rel=0.03
    )


def test_what_is_known_is_not_counted_twice():
    random = np.random.default_rng(1)
    known = random.normal(0, 1, ROWS)
    x = known + random.normal(0, 1, ROWS)
    labels = clicks(known + 0.5 * x)
    assert _scale(x, known, labels, np.ones(ROWS)) == pytest.approx(
        0.5, rel=0.05
    )


def test_texts_that_tell_nothing_or_the_contrary_count_nothing():
    x = np.random.default_rng(1).normal(0.7, 1.4, ROWS)
    assert _scale(x, 0 * x, clicks(-0.5 * x), np.ones(ROWS)) == 0.0
    unlike = _scale(x, 0 * x, clicks(np.full(ROWS, -2.0)), np.ones(ROWS))
    assert unlike == pytest.approx(0.0, abs=0.01)


def test_rows_of_more_weight_count_more():
    x = np.random.default_rng(1).normal(0, 1, ROWS)
    labels = clicks(np.where(np.arange(ROWS) % 2, 1.0, 0.2) * x)
    weights = np.where(np.arange(ROWS) % 2, 1.0, 0.0)
    assert _scale(x, 0 * x, labels, weights) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("label", [0, 1])
def test_rows_that_cannot_tell_leave_it_at_one(label):
    zeros = np.zeros(100)
    labels = np.full(100, label)
    assert _scale(zeros, zeros, labels, np.ones(100)) == pytest.approx(
        1.0, abs=1e-6
    )


@pytest.mark.parametrize(("loss", "factor"), [("binary", 0.5), ("huber", 1.0)])
def test_the_weights_take_the_factor_where_labels_are_binary(loss, factor):
    x = np.random.default_rng(1).normal(0.7, 1.4, ROWS).astype(np.float32)
    matching = TextMatching()
    matching.build()
    ranker = types.SimpleNamespace(
        biased_task="clicked",
        task_losses={"clicked": get(loss)},
        text_matching=matching,
        ad_tower=types.SimpleNamespace(
            encode=lambda wanted: {
                "history": None,
                "slate": {"text_appeal": tf.zeros([ROWS, 1])},
            },
            history_parts=(),
            candidate_parts=(),
        ),
        match_texts=lambda inputs, *_: (None, inputs["x"][:, None]),
    )
    zeros = tf.zeros([ROWS], tf.int32)
    inputs = {"x": tf.constant(x), "history_ads": zeros, "candidate_ads": zeros}
    start_text(ranker, [(inputs, {"clicked": clicks(0.5 * x - 2)})])
    (weights,) = (w for w in matching.weights if w.name.endswith("weights:0"))
    expected = factor * np.array([3, 3, 1, 1])
    np.testing.assert_allclose(weights, expected, rtol=0.05)
