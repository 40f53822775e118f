import types

import numpy as np
import pytest

from tfadrec.core.door import tf
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
        name: CTRHead((), units=loss.num_outputs, starts_at_zero=True)
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


@pytest.mark.parametrize("loss", ["ziln", "jrc", "softmax"])
def test_what_has_no_level_stays_as_it_is(loss):
    assert not started({"clicked": loss}, {"clicked": CLICKED})["clicked"].any()
    nothing = started({"clicked": "binary"}, {"clicked": CLICKED[:0]})
    assert nothing["clicked"] == 0
    nothing = started({"clicked": "binary"}, {"clicked": CLICKED}, 0 * CLICKED)
    assert nothing["clicked"] == 0
