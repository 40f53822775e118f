"""A penalty on groups that are predicted apart."""

import numpy as np
import pytest

from tests.training import small
from tfadrec import evaluation, training
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.losses import GroupGap


def logit(p):
    return np.log(p / (1 - np.asarray(p))).astype(np.float32)


def test_derived_values():
    """Means .3 and .6 of two rows each, .45 of all: both a third off."""
    logits, codes = logit([0.2, 0.4, 0.5, 0.7]), [1, 1, 3, 3]
    labels = [0.0, 1.0, 1.0, 0.0]
    gap = GroupGap("x", weight=9.0)
    assert float(gap(logits, codes, labels)) == pytest.approx(1.0, rel=1e-5)
    # Of the clicked rows alone: .4 and .5, a ninth off .45.
    gap = GroupGap("x", weight=81.0, goal="opportunity")
    assert float(gap(logits, codes, labels)) == pytest.approx(1.0, rel=1e-4)
    mask = [True, True, False, False]
    assert float(gap(logits, codes, labels, mask)) == pytest.approx(0, abs=1e-9)
    nothing = gap(logits, codes, np.zeros(4, np.float32))
    assert float(nothing) == 0


def test_its_gradient_draws_groups_together_and_is_none_in_padding():
    logits = tf.constant([logit(0.2), logit(0.6), np.float32(np.nan)])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = GroupGap("x")(logits, [1, 2, 2], [0, 0, 0], [True, True, False])
    low, high, padding = tape.gradient(loss, logits).numpy()
    assert low < 0 < high
    assert padding == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": 0}, r"weight` must be .* Received: 0"),
        ({"weight": float("inf")}, "weight"),
        ({"goal": "fair"}, "Received: 'fair'"),
    ],
)
def test_what_it_cannot_be_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        GroupGap("x", **settings)


@pytest.mark.slow
@pytest.mark.parametrize("field", ["position", "category"])
def test_training_closes_the_gap_at_a_cost(field, tmp_path):
    """Of a candidate's feature and of an ad's, for less than .05 nats."""

    def trained(out, **sections):
        run = training.train(
            small.world(), small.config(**sections), out, progress=False
        )
        found = evaluation.evaluate(run.ranker, run.test)
        probs = 1 / (1 + np.exp(-found.scores["clicked"]))
        if field == "position":
            codes = run.test.impressions.columns[field]
        else:
            columns = run.test.catalogue.columns[field]
            codes = np.concatenate([[0], columns])[run.test.impressions.ads]
        means = [probs[codes == code].mean() for code in np.unique(codes)]
        return max(means) - min(means), found.metrics["clicked"]["log_loss"]

    fit = {"epochs": 6, "steps_per_epoch": 20, "patience": 6}
    gap, loss = trained(tmp_path / "a", fit=fit)
    penalty = {"field": field, "weight": 20.0}
    closed, cost = trained(tmp_path / "b", fit=fit, fairness=penalty)
    print(
        f"{field}: gap {gap:.4f} to {closed:.4f}, loss {loss:.4f} to {cost:.4f}"
    )
    assert closed < 0.6 * gap
    assert cost < loss + 0.05
