"""What users' and ads' slopes add to the linear path, and where they begin."""

import dataclasses
import importlib
import types

import numpy as np
import pytest
import scipy.special

from tests.training import small
from tfadrec import data, layers, models, towers
from tfadrec.data import EventLog
from tfadrec.models.start_linear import refit_slopes, start_linear
from tfadrec.models.start_traits import start_traits

#: Its function hides it.
sizes = importlib.import_module("tfadrec.models.dataset_sizes")


@pytest.fixture(scope="module")
def log():
    return data.open_dataset(small.world())


def ranker_of(dataset, **settings):
    ranker = models.AdRanker.for_dataset(
        dataset, layers.DIN(), fold_in=0, ad_tower={"width": 4}, **settings
    )
    ranker.build()
    return ranker


def sizes_of_ads(dataset, log, folds_in):
    """What `slope_sizes` tells of ads, without any text."""
    return sizes.slope_sizes(
        dataset,
        sizes.dataset_sizes(log),
        use_ad_id=True,
        folds_in=folds_in,
        matches_texts=False,
        reads_vectors=False,
    )[0]


def category_of(log):
    (name,) = [
        feature.tensor
        for feature in log.catalogue.features
        if feature.kind == "category"
    ]
    return name


def test_tastes_are_a_part_of_the_linear_path(log):
    ranker, random = ranker_of(log), np.random.default_rng(0)
    tower, users = ranker.ad_tower, ranker.user_tower
    counts = np.ones(len(log.impressions.ads))
    start_traits(ranker, log.impressions.ads, counts)
    inputs, _ = next(iter(log.batches(50)))
    before = ranker(inputs)["clicked"].numpy()
    slopes = random.normal(size=[users.num_users, users.num_slopes])
    users.slopes.assign(slopes)
    traits = tower(inputs["candidate_ads"])["ad_traits"].numpy()
    assert traits.any()
    assert traits.shape[1] == users.num_slopes  # there are no other signals
    expected = (slopes[inputs["user_id"].numpy()] * traits).sum(axis=1)
    after = ranker(inputs)["clicked"].numpy()
    np.testing.assert_allclose(after - before, expected, rtol=1e-3, atol=1e-4)


def test_most_shown_values_have_a_trait_each():
    tower = types.SimpleNamespace(
        text_traits=0,
        num_traits=3,
        num_rows=4,
        traits=types.SimpleNamespace(
            features=[
                {"name": "brand", "kind": "category", "num_codes": 4},
                {"name": "price", "kind": "number"},
            ],
            start=lambda axes: found.update(axes),
        ),
        codes=lambda name, rows: types.SimpleNamespace(
            numpy=lambda: np.array([0, 3, 1, 2])[rows]
        ),
    )
    found = {}
    ads = np.array([1, 1, 2, 3, 3, 3])
    start_traits(types.SimpleNamespace(ad_tower=tower), ads, np.ones(6))
    # Brand 2 has three rows and brand 3 has two; there is no place for brand 1.
    np.testing.assert_array_equal(found["price"], [[1, 0, 0]])
    np.testing.assert_array_equal(
        found["brand"], [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]
    )


def test_an_untrained_ranker_knows_tastes(log):
    """Users who like half of the categories each, and nothing else."""
    rows, random = log.impressions, np.random.default_rng(0)
    ranker = ranker_of(log)
    codes = np.append(0, log.catalogue.columns[category_of(log)])
    likes = 2.0 * random.choice([-1, 1], [ranker.user_tower.num_users, 99])
    logits = likes[rows.users, codes[rows.ads]]
    rows.labels["clicked"][:] = random.random(len(logits)) < (
        scipy.special.expit(logits)
    )
    start_traits(ranker, rows.ads, np.ones(len(rows.ads)))
    start_linear(ranker, log.batches(100))
    told = ranker.predict(log.batches(100))["clicked"]
    known = rows.users > 0
    assert np.corrcoef(told[known], logits[known])[0, 1] > 0.8


def test_likings_that_no_feature_tells_are_found(monkeypatch):
    """Users of two circles who like ads of their own circle."""
    monkeypatch.setattr(sizes, "_LEAST_ROWS", 1)
    log = data.open_dataset(small.world())
    rows, random = log.impressions, np.random.default_rng(0)
    ranker = ranker_of(log)
    of_ads, of_users = (
        random.choice([-1, 1], count)
        for count in (len(log.catalogue) + 1, len(log.user_ids) + 1)
    )
    logits = 2.5 * of_ads[rows.ads] * of_users[rows.users]
    rows.labels["clicked"][:] = random.random(len(logits)) < (
        scipy.special.expit(logits)
    )
    known = rows.users > 0
    for begin in (start_linear, refit_slopes):
        begin(ranker, log.batches(100))
        told = ranker.predict(log.batches(100))["clicked"]
        assert np.corrcoef(told[known], logits[known])[0, 1] > 0.75
        # What goes on may have other ads: factors are found again.
        factors = ranker.ad_tower.trait_factors
        factors.assign(np.roll(factors, 1, axis=0))
    # What the network has learned leans on them, whatever late rows say.
    penalties = ranker.user_tower.penalties.numpy()
    count = factors.numpy().any(axis=0).sum()
    rows.labels["clicked"][:] = random.permutation(rows.labels["clicked"])
    refit_slopes(ranker, log.batches(100))
    assert factors.numpy().any(axis=0).sum() == count
    assert ranker.user_tower.slopes.numpy()[:, -len(factors[0]) :].any()
    np.testing.assert_array_equal(ranker.user_tower.penalties, penalties)


def test_who_came_since_has_tastes_as_well():
    """Of a ranker that has learned; its other weights stay."""
    log = data.open_dataset(small.world())
    ranker, rows = ranker_of(log), log.impressions
    codes = np.append(0, log.catalogue.columns[category_of(log)])
    random = np.random.default_rng(0)
    likes = 2.0 * random.choice([-1, 1], [ranker.user_tower.num_users, 99])
    rows.labels["clicked"][:] = random.random(len(rows.ads)) < (
        scipy.special.expit(likes[rows.users, codes[rows.ads]])
    )
    start_traits(ranker, rows.ads, np.ones(len(rows.ads)))
    refit_slopes(ranker, log.batches(100))
    slopes = ranker.user_tower.slopes
    assert not slopes.numpy().any()  # there were none
    start_linear(ranker, log.batches(100))
    found = slopes.numpy()
    penalties = ranker.user_tower.penalties.numpy()
    assert penalties[np.append(False, found.any(axis=0))].all()
    assert not penalties[np.append(False, ~found.any(axis=0))].any()
    slopes.assign(np.where(np.arange(len(found))[:, None] % 2, found, 0))
    before = [w.numpy() for w in ranker.trainable_weights]
    refit_slopes(ranker, log.batches(100))
    assert np.corrcoef(slopes.numpy().ravel(), found.ravel())[0, 1] > 0.95
    for weight, value in zip(ranker.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    # They are held as before: ten times as firmly, they are shorter.
    ranker.user_tower.penalties.assign(10 * penalties)
    refit_slopes(ranker, log.batches(100))
    assert np.abs(slopes.numpy()).sum() < 0.7 * np.abs(found).sum()


@pytest.mark.parametrize(
    ("settings", "slopes"),
    [
        ({}, True),
        ({"use_user_id": False}, False),
        (
            {
                "user_tower": {
                    "ids": {"class": "HashedIdEmbedding", "buckets": 9}
                }
            },
            False,
        ),
    ],
)
def test_whose_slopes_there_are(log, settings, slopes):
    ranker = ranker_of(log, **settings)
    assert bool(ranker.user_tower.num_slopes) is slopes
    assert bool(ranker.ad_tower.num_traits) is slopes


def test_a_large_category_has_no_traits_and_one_that_grew_keeps_its_own(log):
    name = category_of(log)
    large = dataclasses.replace(
        log,
        catalogue=dataclasses.replace(
            log.catalogue,
            features=[
                dataclasses.replace(f, vocabulary=range(10_001))
                if f.tensor == name
                else f
                for f in log.catalogue.features
            ],
        ),
    )
    some, many = (
        sizes_of_ads(dataset, log, folds_in=False) for dataset in (log, large)
    )
    assert set(some["traits_of"]) - set(many["traits_of"]) == {name}
    grown = towers.AdTower(large.catalogue.spec(), 4, **some)
    assert name in [feature["name"] for feature in grown.traits.features]


@pytest.mark.parametrize("has_events", [False, True])
def test_opinions_take_the_place_of_factors_where_there_are_some(
    log, monkeypatch, has_events
):
    """A log without events has none to fold in, whatever the settings say."""
    monkeypatch.setattr(sizes, "_LEAST_ROWS", 1)
    if not has_events:
        nothing = np.zeros(0, np.int32)
        events = EventLog(nothing, nothing, nothing, nothing)
        log = dataclasses.replace(log, events=events)
    of_ads = sizes_of_ads(log, log, folds_in=True)
    assert bool(of_ads["factor_traits"]) is not has_events
