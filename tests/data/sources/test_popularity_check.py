import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import roc_auc_score

from tests.data.spilled import NOWHERE, spilled
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.sources.popularity_check import (
    click_rates,
    clicks_around,
    popularity_notes,
    weighted_auc,
)
from tfadrec.data.sources.sampling import with_negatives

DAY = 86_400


def trending():
    """A year's purchases; every ad sells for a month or so."""
    rng = np.random.default_rng(0)
    ads = rng.integers(0, 400, 20_000)
    days = rng.normal(rng.uniform(0, 365, 400)[ads], 15).clip(0, 364)
    return pa.table(
        {
            "request_id": [f"r{n}" for n in range(20_000)],
            "user_id": rng.integers(0, 3000, 20_000),
            "ad_id": ads,
            "timestamp": (days * DAY).astype(np.int64),
        }
    )


def sample(purchases, period):
    return with_negatives(
        spilled(purchases),
        pc.unique(purchases["ad_id"]),
        negatives_per_positive=4,
        strategy="popularity",
        period=period,
        seed=0,
        ledger=Ledger(),
        workspace=NOWHERE,
    ).table()


def test_negatives_of_the_same_period_tell_nothing():
    assert (
        popularity_notes(spilled(sample(trending(), "auto")), sampled=True)
        == []
    )


def test_negatives_of_the_whole_log_are_caught():
    table = sample(trending(), "all")
    (note,) = popularity_notes(spilled(table), sampled=True)
    assert note.startswith(
        "counts of an ad tell bought ads from sampled ones, and a model may "
        "learn that in the place of taste: AUC of click rate in the training "
        "part .1"
    )
    assert note.endswith(
        '.5 tells nothing. See "Does the sample leak?" in docs/data.md'
    )
    # Also where somebody else sampled them.
    (note,) = popularity_notes(spilled(table), sampled=False)
    assert note.startswith(
        "ads that were clicked often in the training part are clicked seldom "
        "in the other rows: AUC of click rate in the training part .1"
    )
    assert "Were negatives drawn from the whole log?" in note


@pytest.mark.parametrize(
    ("clicked", "told"),
    [("first", "before the impression"), ("last", "after it")],
)
def test_purchases_that_tell(clicked, told):
    # Each ad has two rows. Where the first is clicked, the other has a click
    # before it; where the last is, the other has a click after it.
    first = np.arange(1000) < 500
    table = pa.table(
        {
            "ad_id": np.tile(np.arange(500), 2),
            "timestamp": np.arange(1000),
            "clicked": (first == (clicked == "first")).astype(np.int8),
        }
    )
    (note,) = popularity_notes(spilled(table), sampled=True)
    assert f": AUC of purchases {told} .000; .5 tells" in note


def labels(rate_before, rate_after, split=False):
    """Ad 0 and ad 1 in turn; ad 1 is clicked at the rate one half."""
    rng = np.random.default_rng(0)
    ads = np.tile([0, 1], 5000)
    late = np.arange(10_000) >= 8000
    rate = np.where(ads == 1, 0.5, np.where(late, rate_after, rate_before))
    columns = {
        "ad_id": ads,
        "timestamp": np.arange(10_000),
        "clicked": (rng.random(10_000) < rate).astype(np.int8),
    }
    if split:
        # The parts are turned round: the late rows are trained on.
        columns["split"] = np.where(late, "train", "test")
    return pa.table(columns)


def test_real_labels():
    # What was clicked is clicked again, or tells nothing: as it should be.
    assert popularity_notes(spilled(labels(0.8, 0.8)), sampled=False) == []
    assert popularity_notes(spilled(labels(0.8, 0.5)), sampled=False) == []
    assert len(popularity_notes(spilled(labels(0.8, 0.2)), sampled=False)) == 1
    # Of sampled ones it should tell nothing.
    assert len(popularity_notes(spilled(labels(0.8, 0.8)), sampled=True)) == 1


def test_a_published_split_says_what_is_trained_on():
    (note,) = popularity_notes(
        spilled(labels(0.2, 0.8, split=True)), sampled=False
    )
    found = float(note.rpartition("training part ")[2].partition(";")[0])
    # In the late rows ad 0 is the better one, so its rows are ranked first. In
    # the others its share of the clicked is .2 / .7, of the rest .8 / 1.3.
    assert found == pytest.approx(0.5 + (0.2 / 0.7 - 0.8 / 1.3) / 2, abs=0.02)
    # By time it would be the other way round, and as bad.
    (note,) = popularity_notes(spilled(labels(0.2, 0.8)), sampled=False)
    assert float(note.rpartition("part ")[2].partition(";")[0]) != found


def test_small_logs_prove_nothing():
    table = labels(0.8, 0.2).slice(7990, 20)
    assert popularity_notes(spilled(table), sampled=True) == []
    assert popularity_notes(spilled(table.slice(0, 0)), sampled=True) == []


def test_counts_of_clicks_around():
    ads = np.array([0, 0, 0, 0, 1, 0])
    times = np.array([10, 20, 20, 30, 15, 20])
    clicked = np.array([1, 1, 0, 1, 1, 1], bool)
    weights = np.array([1.0, 1, 1, 1, 1, 5])
    rows = np.array([0, 2, 3, 4])
    counts = np.zeros((2, 4))
    # In two batches.
    for batch in (clicked & (times < 20), clicked & (times >= 20)):
        counts += clicks_around(
            ads[batch], times[batch], weights[batch], ads[rows], times[rows]
        )
    before, after = counts
    # The two clicks at 20, of weight 6, lie before 30 and after 10 only.
    assert before.tolist() == [0, 1, 7, 0]
    assert after.tolist() == [7, 1, 0, 0]


def test_click_rates():
    rates = click_rates(np.array([4.0, 0, 4, 0]), np.array([3.0, 0, 0, 0]))
    # Ads 1 and 3 were not shown, and have the rate of all: 3 / 8.
    assert rates.tolist() == [0.75, 0.375, 0, 0.375]


def test_weighted_auc_is_scikit_learns():
    rng = np.random.default_rng(0)
    clicked = rng.random(500) < 0.3
    scores = rng.integers(0, 20, 500) + 3.0 * clicked
    weights = rng.random(500)
    auc, error = weighted_auc(clicked, scores, weights)
    assert auc == pytest.approx(
        roc_auc_score(clicked, scores, sample_weight=weights)
    )
    for scale in (1e-300, 1e300):  # only the ratios count
        scaled = weighted_auc(clicked, scores, weights * scale)
        assert scaled == pytest.approx((auc, error))
    # The spread of AUCs of shuffled labels.
    ones = np.ones(500)
    spread = np.std(
        [
            weighted_auc(rng.permutation(clicked), rng.random(500), ones)[0]
            for _ in range(300)
        ]
    )
    assert error == pytest.approx(spread, rel=0.15)


def test_auc_of_one_label():
    ones = np.ones(3)
    assert weighted_auc(np.ones(3, bool), ones, ones) == (0.5, np.inf)
    clicked = np.array([True, True, False])
    weights = np.array([1.0, 1.0, 0.0])
    assert weighted_auc(clicked, ones, weights) == (0.5, np.inf)
