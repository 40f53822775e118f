"""Events taken out of histories whose worth is known."""

import types

import numpy as np
import pytest

from tests.evaluation import rows as made
from tfadrec.core.door import tf
from tfadrec.explanation import Explanation, deletion_check


class Sums:
    """Requests whose logit is the sum of what their events are worth."""

    def __init__(self, worth, gone=None):
        self.worth = worth
        self.gone = np.zeros(worth.shape, bool) if gone is None else gone

    def take(self, places):
        return Sums(self.worth[places], self.gone[places])

    def without(self, ranker, gone):
        return Sums(self.worth, gone)

    def score(self, ranker):
        kept = np.where(self.gone, 0, self.worth).sum(axis=1)
        return {"clicked": tf.constant(kept)}


#: Nothing of it is asked.
RANKER = types.SimpleNamespace(task_losses={})


def explained(worth, events, lengths):
    return Explanation(
        task="clicked",
        logits=worth.sum(axis=1),
        unknown=np.zeros(len(worth)),
        fields={},
        events=events,
        real=np.arange(worth.shape[1]) < lengths[:, None],
        history_rows=np.zeros(worth.shape, np.int32),
        attention={},
        steps=np.ones(len(worth), int),
    )


def world(n=60, time=8):
    """Of eight events the first two are worth 1, the others 0.1."""
    worth = np.full([n, time], 0.1)
    worth[:, :2] = 1.0
    lengths = np.full(n, time)
    lengths[:10] = 3  # too short
    worth[np.arange(time) >= lengths[:, None]] = 0
    rows = made.dataset(np.ones(n), np.ones(n), users=np.arange(n) % 7 + 1)
    return worth, lengths, rows.impressions


def test_events_that_are_named_count_more_than_others():
    worth, lengths, rows = world()
    right = explained(worth, worth, lengths)
    found = deletion_check(RANKER, Sums(worth), right, rows)
    assert found.rows == 50
    # A quarter of eight is two: both that count. Of two others drawn, 2 * 2 / 8
    # are among these, so they are worth 0.5 * 1 + 1.5 * 0.1 on average.
    assert found.named == pytest.approx(2.0)
    assert found.random == pytest.approx(0.65, abs=0.1)
    assert found.low < found.named - found.random < found.high
    assert found.low > 1.1
    assert "move by 2.0000" in found.line


def test_events_that_are_named_wrongly_count_less():
    worth, lengths, rows = world()
    wrong = explained(worth, -1 / (worth + 0.01), lengths)
    found = deletion_check(RANKER, Sums(worth), wrong, rows)
    assert found.named == pytest.approx(0.2)
    assert found.high < 0


def test_short_histories_tell_nothing():
    worth, lengths, rows = world()
    lengths[:] = 3
    right = explained(worth, worth, lengths)
    found = deletion_check(RANKER, Sums(worth), right, rows)
    assert found.rows == 0
    assert "tells nothing" in found.line
