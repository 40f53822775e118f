"""Every baseline by hand, or against scikit-learn."""

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.preprocessing

from tests.evaluation import rows
from tfadrec.evaluation import evaluate_baselines
from tfadrec.evaluation.baselines import (
    BASELINES,
    Constant,
    LogisticRegression,
    Popularity,
    SmoothedRate,
    TextCosine,
    baseline,
)
from tfadrec.evaluation.baselines.newton import fit_logistic
from tfadrec.evaluation.baselines.one_column import OneColumn
from tfadrec.metrics import ranking

ADS, CLICKED = [1, 1, 1, 2, 4], [1, 1, 0, 0, 1]
TEST = rows.dataset([1, 2, 4, 3, 0, 1], [0] * 6)


def probs(baseline, dataset=TEST):
    scores = baseline.scores(dataset)
    assert scores.dtype == np.float64
    return 1 / (1 + np.exp(-scores))


def random_rows(n, seed=0, **more):
    """Clicks that depend on user, ad, brand and place."""
    random = np.random.default_rng(seed)
    users, ads = random.integers(1, 9, n), random.integers(0, 5, n)
    places = random.integers(1, 4, n)
    z = np.sin(users) + np.cos(3 * ads) - places / 2
    return rows.dataset(
        ads,
        random.random(n) < 1 / (1 + np.exp(-z)),
        users=users,
        brands=[1, 2, 0, 1],
        positions=places,
        **more,
    )


def test_constant():
    # Of weights 1, 1, 2 the clicks are 1 and 2.
    train = rows.dataset([1, 2, 3], [1, 0, 1], weights=[1, 1, 2])
    np.testing.assert_allclose(probs(Constant().fit(train)), [3 / 4] * 6)


def test_a_constant_without_a_click_is_finite():
    scores = Constant().fit(rows.dataset([1], [0])).scores(TEST)
    np.testing.assert_allclose(scores, np.log(1e-7), rtol=1e-6)


def test_smoothed_rate():
    # p = 3/5 and m = 5, so m p = 3. Ad 1: (2 + 3) / (3 + 5) = 5/8; ad 2:
    # 3 / 6; ad 4: 4 / 6; ad 3 was never shown and row 0 is no ad: 3/5.
    model = SmoothedRate(prior_impressions=5).fit(rows.dataset(ADS, CLICKED))
    expected = [5 / 8, 1 / 2, 2 / 3, 3 / 5, 3 / 5, 5 / 8]
    np.testing.assert_allclose(probs(model), expected)


def test_the_prior_is_worth_ten_impressions():
    model = SmoothedRate().fit(rows.dataset(ADS, CLICKED))
    np.testing.assert_allclose(probs(model)[0], 8 / 13)


def test_a_row_with_a_weight_is_as_many_rows():
    counted = rows.dataset([1, 1, 2, 2], [1, 0, 1, 0], weights=[2, 3, 1, 4])
    alone = rows.dataset([1] * 5 + [2] * 5, [1, 1, 0, 0, 0, 1, 0, 0, 0, 0])
    for kind in (Constant, SmoothedRate, Popularity, LogisticRegression):
        a, b = (probs(kind().fit(train)) for train in (counted, alone))
        np.testing.assert_allclose(a, b, rtol=1e-4, err_msg=kind.name)


def test_means_of_amounts():
    train = rows.dataset([1, 1, 2], [0] * 3, labels={"revenue": [4, 6, 2]})
    arguments = ("revenue", False)
    assert Constant(*arguments).fit(train).scores(TEST)[0] == 4
    # (10 + 10 * 4) / (2 + 10)
    rates = SmoothedRate(*arguments).fit(train).scores(TEST)
    assert rates[0] == pytest.approx(50 / 12)
    for kind in (Popularity, LogisticRegression, TextCosine):
        assert not kind(*arguments).applies(train)


@pytest.mark.parametrize("bad", [0, -1])
def test_bad_arguments(bad):
    with pytest.raises(ValueError, match=rf"> 0\. Received: .*={bad}"):
        SmoothedRate(prior_impressions=bad)
    with pytest.raises(ValueError, match=rf"> 0\. Received: l2={bad}"):
        LogisticRegression(l2=bad)


def test_popularity_counts_clicks_and_not_rates():
    # Ad 1 has 3 clicks of 6, ad 2 has 1 of 1, ads 3 and 4 none.
    train = rows.dataset([1] * 6 + [2, 3, 3, 3], [1, 1, 1, 0, 0, 0, 1, 0, 0, 0])
    score = Popularity().fit(train).scores(TEST)
    assert score[0] > score[1] > score[3] == score[2] == score[4]
    # As scikit-learn fits the level to log(1 + clicks).
    clicks = np.log1p([3, 1, 0, 0])
    oracle = sklearn.linear_model.LogisticRegression(C=1e3, tol=1e-9)
    oracle.fit(
        clicks[train.impressions.ads - 1][:, None],
        train.impressions.labels["clicked"],
    )
    expected = oracle.decision_function(clicks[[0, 1, 2]][:, None])
    np.testing.assert_allclose(score[[0, 1, 3]], expected, rtol=1e-3)


def test_popularity_keeps_its_order_where_it_is_wrong():
    # Ad 1 has most clicks and the lowest rate.
    train = rows.dataset([1] * 30 + [2] * 2, [1] * 3 + [0] * 27 + [1] * 2)
    model = Popularity().fit(train)
    assert model.scores(TEST)[0] > model.scores(TEST)[1]
    np.testing.assert_allclose(probs(model), [5 / 32] * 6, rtol=1e-4)


@pytest.mark.parametrize("l2", [0.3, 5.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_is_that_of_scikit_learn(l2, weighted):
    weights = np.random.default_rng(3).random(600) * 3 if weighted else None
    train, test = random_rows(600, weights=weights), random_rows(200, seed=1)
    ours = LogisticRegression(l2=l2).fit(train).scores(test)

    def fields(dataset):
        r = dataset.impressions
        brands = np.append(0, dataset.catalogue.columns["brand"])[r.ads]
        return np.stack([r.users, r.ads, brands, r.columns["place"]], axis=1)

    one_hot = sklearn.preprocessing.OneHotEncoder(handle_unknown="ignore")
    oracle = sklearn.linear_model.LogisticRegression(
        C=1 / l2, tol=1e-9, max_iter=5000
    )
    oracle.fit(
        one_hot.fit_transform(fields(train)),
        train.impressions.labels["clicked"],
        weights,
    )
    theirs = oracle.decision_function(one_hot.transform(fields(test)))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_of_many_rows_all_are_counted_and_some_are_fitted(monkeypatch):
    random = np.random.default_rng(3)
    ads, weights = random.integers(1, 5, 600), random.integers(1, 4, 600)
    clicked = random.random(600) < ads / 6
    train = rows.dataset(ads, clicked, weights=weights)
    some = train.select(np.arange(300) * 2)
    counted = (Constant, SmoothedRate)
    expected = [kind().fit(train).scores(TEST) for kind in counted]
    of_some = LogisticRegression().fit(some).scores(TEST)
    monkeypatch.setattr("tfadrec.core.blocks.ROWS", 70)
    monkeypatch.setattr(baseline, "_MOST_FITTED", 300)
    for kind, scores in zip(counted, expected, strict=True):
        found = kind().fit(train).scores(TEST)
        np.testing.assert_allclose(found, scores, rtol=1e-12)
    found = LogisticRegression().fit(train).scores(TEST)
    np.testing.assert_array_equal(found, of_some)
    # All rows tell its level as well.
    column = np.log1p(np.bincount(ads, weights * clicked, 5))
    level, (slope,) = fit_logistic(
        OneColumn(column[ads]), clicked, weights, l2=1e-3
    )
    assert slope > 0.1
    np.testing.assert_allclose(
        Popularity().fit(train).scores(TEST),
        level + slope * column[TEST.impressions.ads],
        rtol=1e-6,
    )


def test_what_training_has_not_seen_adds_nothing():
    train = rows.dataset([1, 2] * 20, [1, 0] * 20, users=[1, 2] * 20)
    test = rows.dataset([4, 1], [0, 0], users=[7, 7])
    model = LogisticRegression().fit(train)
    assert model.scores(test)[0] == model._level
    assert model.scores(test)[1] > model._level


VECTORS = [[3, 0], [0, 2], [0, 0], [0, 1]]


def cosines():
    """Centred on (1, 1) over the ads 1, 2 and 4; ad 3 has no text."""
    centred = np.array([[2.0, -1], [-1, 1], [-1, 0]])
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return unit @ unit.T


def test_text_cosine_by_hand():
    from tfadrec.evaluation.baselines.text_cosine import largest_cosines

    # Histories: ads 1 and 2; nothing; ad 3 without text; only the newest two.
    found = largest_cosines(
        rows.dataset(
            [4, 4, 4, 1, 3, 0],
            [0] * 6,
            vectors=VECTORS,
            events=[1, 2, 3, 1, 4, 2],
            starts=[0, 0, 2, 3, 0, 0],
            ends=[2, 0, 3, 6, 2, 2],
        ).with_history_length(2)
    )
    expected = cosines()
    np.testing.assert_allclose(
        found,
        [
            max(expected[2, 0], expected[2, 1]),
            np.nan,
            np.nan,
            max(expected[0, 2], expected[0, 1]),  # the ad 1 itself is too old
            np.nan,
            np.nan,
        ],
        rtol=1e-6,
    )


def test_a_text_that_is_the_mean_has_no_direction():
    from tfadrec.evaluation.baselines.text_cosine import largest_cosines

    given = rows.dataset(
        [3, 2, 1],
        [0] * 3,
        vectors=[[1, 0], [3, 0], [2, 0], [0, 0]],
        events=[1, 3],
        starts=[0, 0, 1],
        ends=[1, 2, 2],
    )
    np.testing.assert_allclose(largest_cosines(given), [np.nan, -1, np.nan])


def test_text_cosine_learns_the_level():
    random = np.random.default_rng(0)
    ads, seen = random.integers(1, 5, 400), random.integers(1, 5, 400)
    clicked = random.random(400) < np.where(ads == seen, 0.8, 0.2)
    train = rows.dataset(
        ads,
        clicked,
        vectors=[[1, 0], [0, 1], [-1, 0], [0, -1]],
        events=seen,
        starts=np.arange(400),
        ends=np.arange(400) + (np.arange(400) > 9),
    )
    model = TextCosine()
    assert model.applies(train)
    found = probs(model.fit(train), train)
    assert ranking.auc(clicked, found) > 0.7
    # Without a history: the training rate.
    np.testing.assert_allclose(found[:10], clicked.mean())
    same = ads == seen
    assert found[10:][same[10:]].mean() == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize("more", [{"vectors": VECTORS}, {"events": [1, 2]}])
def test_text_cosine_needs_text_and_histories(more):
    assert not TextCosine().applies(rows.dataset(ADS, CLICKED, **more))


def test_all_of_them_on_the_same_rows():
    train = random_rows(300, labels={"revenue": np.arange(300)})
    test = random_rows(100, seed=1, labels={"revenue": np.arange(100)})
    found = evaluate_baselines(train, test, {"clicked": True, "revenue": False})
    assert list(found) == [kind.name for kind in BASELINES[:4]]
    assert found["constant"].metrics["clicked"]["auc"] == 0.5
    assert found["logistic regression"].metrics["clicked"]["auc"] > 0.6
    assert set(found["logistic regression"].metrics) == {"clicked"}
    # The mean of 0 to 299 for 0 to 99: off by 149.5 - 49.5 on average.
    mean = found["constant"].metrics["revenue"]
    assert mean["mae"] == pytest.approx(100)
    assert {e.metrics["clicked"]["count"] for e in found.values()} == {100}


def test_labels_of_one_class():
    train = rows.dataset([1, 2], [1, 1])
    found = evaluate_baselines(train, TEST)
    assert list(found) == ["constant", "smoothed rate"]
