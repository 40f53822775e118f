"""A request without rates is answered by those at the end of the log."""

import numpy as np
import pytest

from tests.data.rates_log import DAY, RATES, prepare, rows, value
from tfadrec import layers, models
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data.rate_table import RateTable
from tfadrec.serving.known_rates import KnownRates
from tfadrec.serving.ranking_service import RankingService

ADS = ["a", "b", "c", "d", "new"]
USERS = ["u", "v", "w", "nobody"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rates")


@pytest.fixture(scope="module")
def served(folder):
    dataset = prepare(folder)
    ranker = models.AdRanker.for_dataset(
        dataset.with_history_length(2), layers.LSTM(), hidden_units=(4,)
    )
    ranker.build()
    return dataset, RankingService(ranker, dataset.with_history_length(2))


@pytest.fixture(scope="module")
def tomorrow():
    """As many rows again, of one user and ad more; those come first."""
    log = rows()
    later = [{**r, "time": r["time"] + 9 * DAY, "click": 1} for r in log]
    later[0] |= {"user": "a new one"}
    return log + later


def request(**changes):
    """All ads for all users, at hour 3, without a history."""
    users = len(USERS)
    made = {
        "user_id": tf.constant(USERS),
        "history_ads": tf.zeros([users, 0], tf.string),
        "history_events": tf.zeros([users, 0], tf.string),
        "history_ages": tf.zeros([users, 0], tf.int32),
        "history_length": tf.zeros([users], tf.int32),
        "city": tf.constant([""] * users),
        "hour": tf.constant([3.0] * users, tf.float64),
        "candidate_ads": tf.constant([ADS] * users),
    }
    return made | changes


def given(dataset, values):
    """Rates as inputs; `values` says what stands for a name, user and ad."""
    return {
        f.tensor: tf.constant(
            [[values(f.name, u, a) for a in ADS] for u in USERS], tf.float64
        )
        for f in dataset.schema.of("candidate")
    }


def by_hand(name, user, ad, log=None):
    log = log or rows()
    row = {"user": user, "ad": ad, "hour": "3"}
    of = str(RATES[name]["of"])
    if ad == "new" and ("ad_id" in of or "brand" in of):
        return 0.0
    return value(name, row, max(r["time"] for r in log) + 1, log)


def test_empty_ones_are_those_of_the_end_of_the_log(served):
    dataset, service = served
    empty = given(dataset, lambda *_: np.nan)
    found = service.score_slate(**request(**empty))["logits"]
    known = given(dataset, by_hand)
    wanted = service.score_slate(**request(**known))["logits"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    zeros = given(dataset, lambda *_: 0.0)
    others = service.score_slate(**request(**zeros))["logits"]
    assert np.abs(found - others)[:3, :4].min() > 1e-3
    # Of a new ad for a new user nothing is known.
    np.testing.assert_allclose(found[3, 4], others[3, 4], rtol=1e-5)


def test_the_catalogue_is_ranked_by_them(served):
    dataset, service = served
    empty = given(dataset, lambda *_: np.nan)
    wanted = service.score_slate(**request(**empty))["logits"].numpy()[:, :4]
    asked = request()
    del asked["candidate_ads"]
    best = service.recommend(
        exclude_ads=tf.zeros([4, 0], tf.string),
        exclude_history=tf.zeros([4], tf.bool),
        k=tf.constant([4] * 4),
        **asked,
    )
    np.testing.assert_allclose(
        best["logits"], -np.sort(-wanted, axis=1), rtol=1e-5, atol=1e-6
    )


def test_a_known_ad_among_new_ones_has_its_rates(served):
    dataset, service = served
    empty = given(dataset, lambda *_: np.nan)
    wanted = service.score_slate(**request(**empty))["logits"]
    columns = {"new_brand": tf.constant([[""]] * 4)}
    found = service.score_new_ads(
        new_ads=tf.constant([["new"]] * 4), **columns, **request(**empty)
    )["logits"]
    np.testing.assert_allclose(found[:, :4], wanted[:, :4], rtol=1e-5)


def test_they_are_updated_without_training(folder, served, tomorrow, tmp_path):
    dataset, service = served
    newer = prepare(tmp_path, tomorrow, like=folder / "out")
    # Its users have other rows.
    assert newer.user_ids.tolist() != dataset.user_ids.tolist()
    updated = RankingService(
        service._scorer._ranker.value, dataset, rates=newer
    )
    empty = given(dataset, lambda *_: np.nan)
    known = given(dataset, lambda *names: by_hand(*names, log=tomorrow))
    found = updated.score_slate(**request(**empty))["logits"]
    wanted = service.score_slate(**request(**known))["logits"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    before = service.score_slate(**request(**empty))["logits"]
    assert np.abs(found - before)[:3, :4].max() > 1e-2


def test_rates_of_other_features_are_refused(served, tmp_path):
    dataset, service = served
    other = prepare(tmp_path, impressions={"candidate_features": None})
    with pytest.raises(InputError, match="Prepare it with `--like`"):
        RankingService(service._scorer._ranker.value, dataset, rates=other)


def test_keys_whose_codes_fill_more_than_63_bits_are_found(tmp_path):
    """By a dictionary: of four columns of two thousand million values each."""
    most = 2**31 - 1
    keys = np.random.default_rng(0).integers(1, most, (40, 4), np.int32)
    keys = np.concatenate([keys, np.full((1, 4), most)])
    keys = keys[np.lexsort(keys.T[::-1])].astype(np.int32)
    values = np.arange(1, 42, dtype=np.float32)
    of = ("a", "b", "c", "d")
    feature = Feature("r", "candidate", "rate", tensor="r", of=of)
    rates = KnownRates([feature], {"r": RateTable(keys, values)})
    # Known ones, and ones of which a part is another's, or unknown.
    asked = np.repeat(keys, 5, axis=0)
    for part in range(4):
        asked[part + 1 :: 5, part] = np.roll(keys[:, part], 1)
    asked[3:9, 2] = 0
    known = dict(zip(map(tuple, keys.tolist()), values, strict=True))
    wanted = [[known.get(tuple(key), 0)] for key in asked.tolist()]
    assert 30 < np.count_nonzero(wanted) < 50

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.int32)])
    def read(codes):
        columns = dict(zip(of, tf.unstack(codes, axis=1), strict=True))
        empty = tf.fill([tf.shape(codes)[0], 1], np.nan)
        rows = tf.zeros_like(empty, tf.int32)
        return rates.fill({**columns, "r": empty}, {}, rows)["r"]

    np.testing.assert_array_equal(read(asked), wanted)
    rates.read = read
    tf.saved_model.save(rates, str(tmp_path))
    again = tf.saved_model.load(str(tmp_path))
    np.testing.assert_array_equal(again.read(asked), wanted)
