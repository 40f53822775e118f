"""Heads begin with the log-odds of the training rows."""

import numpy as np
import pytest

from tfadrec.models.start_levels import start_levels


def levels(ranker):
    return {
        v.name.partition("_head/")[0].rpartition("/")[2]: float(v.numpy()[0])
        for v in ranker.trainable_variables
        if v.name.endswith("_head/output/bias:0") and v.shape == [1]
    }


def test_clicks_begin_at_their_share_and_conversions_at_that_of_clicks(small):
    ranker = small.ranker(tasks=("clicked", "converted"))
    labels = {
        "clicked": np.repeat([1.0, 0.0], [1_000, 9_000]),
        "converted": np.repeat([1.0, 0.0], [50, 9_950]),
    }
    start_levels(ranker, labels)
    assert levels(ranker) == {
        "clicked": pytest.approx(np.log(1000 / 9000), abs=1e-3),
        # 50 of 1,000 clicks, half a row added to either side.
        "converted_if_clicked": pytest.approx(np.log(50.5 / 950.5)),
    }


def test_rows_count_by_their_weight(small):
    ranker = small.ranker()
    weights = np.repeat([3.0, 1.0], 500)
    start_levels(ranker, {"clicked": np.repeat([1.0, 0.0], 500)}, weights)
    assert levels(ranker)["clicked"] == pytest.approx(np.log(3), abs=1e-2)


def test_what_has_no_level_is_left_alone(small):
    ranker = small.ranker(
        tasks=("revenue", "clicked"),
        losses={"revenue": "squared", "clicked": "softmax"},
    )
    ones = np.ones(8)
    start_levels(ranker, {"revenue": 5 * ones, "clicked": ones})
    assert set(levels(ranker).values()) == {0.0}


def test_labels_of_one_kind_give_no_endless_level(small):
    ranker = small.ranker()
    start_levels(ranker, {"clicked": np.zeros(99)})
    assert levels(ranker)["clicked"] == pytest.approx(np.log(0.5 / 99.5))
