"""Ranks of the whole catalogue, by loops over users, ads and histories."""

import dataclasses
import types

import numpy as np
import pytest

from tests.models import tastes
from tfadrec import evaluation
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.metrics import retrieval


class Retriever:
    """Users and ads have one number each."""

    def __call__(self, inputs):
        return {"user": tf.cast(inputs["user_id"], tf.float32)[:, None]}

    def catalogue_vectors(self):
        return np.sin(np.arange(tastes.ADS + 1, dtype=np.float32))[:, None]


def figures(scores, relevant):
    found = retrieval.places(np.array(scores), np.array(relevant))
    return {
        **{f"recall@{k}": retrieval.recall(*found, k) for k in (3, 20)},
        **{f"ndcg@{k}": retrieval.ndcg(*found, k) for k in (3, 20)},
    }


def test_everybody_ranks_the_catalogue():
    train, _ = tastes.parts()
    rows = tastes.dataset()
    test = rows.select(np.arange(3, len(rows), 5))
    found = evaluation.evaluate_retrieval(Retriever(), test, train, ks=(3, 20))
    clicks = np.zeros([tastes.USERS + 1, tastes.ADS + 1])
    shown = train.impressions
    for user, ad, click in zip(
        shown.users, shown.ads, shown.labels["clicked"], strict=True
    ):
        clicks[user, ad] += click
    users = (clicks > 0).astype(float)
    lengths = np.linalg.norm(users, axis=0)
    scores = {"retriever": [], "popularity": [], "item_to_item": []}
    relevant = []
    impressions = test.impressions
    for row in np.flatnonzero(impressions.labels["clicked"]):
        relevant.append(impressions.ads[row] - 1)
        start = impressions.history_starts[row]
        history = test.events.ads[start : impressions.history_ends[row]]
        vectors = Retriever().catalogue_vectors()[1:, 0]
        scores["retriever"].append(
            (np.float32(impressions.users[row]) * vectors).tolist()
        )
        scores["popularity"].append(clicks.sum(axis=0)[1:])
        scores["item_to_item"].append(
            [
                sum(
                    users[:, other]
                    @ users[:, ad]
                    / lengths[other]
                    / lengths[ad]
                    for other in history
                    if lengths[other] and lengths[ad]
                )
                for ad in range(1, tastes.ADS + 1)
            ]
        )
    for name, values in scores.items():
        # Sums of cosines are equal but for rounding.
        expected = figures(np.round(values, 9), relevant)
        assert found[name] == pytest.approx(expected, abs=0.01), name
    assert found["item_to_item"]["recall@20"] > 0.5


def test_ads_that_a_user_skipped_recommend_no_others():
    train, _ = tastes.parts()
    rows = tastes.dataset()
    schema = dataclasses.replace(
        rows.schema, event_types=("skipped",) * len(rows.schema.event_types)
    )
    train, rows = (
        dataclasses.replace(each, schema=schema) for each in (train, rows)
    )
    found = evaluation.evaluate_retrieval(Retriever(), rows, train, ks=(20,))
    # Nothing else is known of a user, so that all ads are alike.
    by_chance = pytest.approx(20 / tastes.ADS)
    assert found["item_to_item"]["recall@20"] == by_chance


def test_rows_without_a_click_cannot_be_measured():
    rows = tastes.dataset()
    impressions = rows.impressions
    nothing = np.flatnonzero(impressions.labels["clicked"] == 0)
    with pytest.raises(InputError, match=r"Received: none in \d+ rows"):
        evaluation.evaluate_retrieval(
            types.SimpleNamespace(catalogue_vectors=None),
            rows.select(nothing),
            rows,
        )


def test_where_a_retriever_stands_in_a_line():
    found = {
        "retriever": {"recall@50": 0.3},
        "popularity": {"recall@50": 0.25},
        "item_to_item": {"recall@50": 0.3},
    }
    assert evaluation.retrieval_line(found, 1000, 50) == (
        "Recall of 50 of 1,000 ads: retriever 0.3000, popularity 0.2500, "
        "item-to-item 0.3000, chance 0.0500\n"
        "The retriever is not ahead of item-to-item"
    )
    found["retriever"]["recall@50"] = 0.31
    assert "ahead" not in evaluation.retrieval_line(found, 1000, 50)
