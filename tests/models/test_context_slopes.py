"""What ads' traits are worth to who has a value, whoever it is."""

import numpy as np
import pytest
import scipy.special

from tfadrec import data, layers, models, serving, training
from tfadrec.core.door import tf
from tfadrec.data.sources import prepare_table
from tfadrec.models.start_linear import refit_slopes, start_linear
from tfadrec.models.start_traits import start_traits

YAML = """
ads: {file: ads.csv, ad_id: id, title: name,
      features: {language: category, price: number}}
users: {file: users.csv, user_id: user,
        features: {speaks: category, age: number}}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
              clicked: click, features: {device: category}}
"""
LISTS = """
ads: {file: ads.csv, ad_id: id, features: {language: category}}
users: {file: users.csv, user_id: user,
        features: {speaks: {kind: categories, weighted: WEIGHTED}}}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
              clicked: click}
"""
LANGUAGES = np.array(["de", "el", "en"])
BY_LANGUAGE = "feature speaks by feature language"


def prepared(folder, text, **files):
    """A dataset of files with these lines, of a table in YAML."""
    for name, lines in files.items():
        (folder / f"{name}.csv").write_text("\n".join(lines))
    (folder / "log.yaml").write_text(text)
    prepare_table(folder / "log.yaml", folder / "data")
    return folder / "data"


def lines_of(users, ads, clicks):
    """Lines of rows in the order of their times."""
    rows = enumerate(zip(users, ads, clicks, strict=True))
    return [f"u{u},a{a},{i},{int(c)}" for i, (u, a, c) in rows]


def write_log(folder, languages=LANGUAGES, seed=0):
    """Clicks on ads in one's language, and of elders on what is dear."""
    random = np.random.default_rng(seed)
    folder.mkdir()
    of_ads, of_users = (random.choice(languages, n) for n in (30, 400))
    prices, ages = random.normal(10, 3, 30), random.normal(40, 9, 400)
    users, ads = random.integers(400, size=4000), random.integers(30, size=4000)
    logits = 2.0 * (of_ads[ads] == of_users[users]) - 1.0
    logits += (prices[ads] - 10) / 3 * (ages[users] - 40) / 9
    clicks = random.random(4000) < scipy.special.expit(logits)
    rows = enumerate(lines_of(users, ads, clicks))
    return prepared(
        folder,
        YAML,
        ads=["id,name,language,price"]
        + [f"a{i},ad,{of_ads[i]},{p}" for i, p in enumerate(prices)],
        users=["user,speaks,age"]
        + [f"u{i},{of_users[i]},{a}" for i, a in enumerate(ages)],
        log=["user,ad,time,click,device"]
        + [f"{row},d{i % 3}" for i, row in rows],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("languages") / "a")


@pytest.fixture(scope="module")
def log(folder):
    return data.open_dataset(folder)


def ranker_of(log, **settings):
    ranker = models.AdRanker.for_dataset(
        log, layers.DIN(), fold_in=0, ad_tower={"width": 4}, **settings
    )
    ranker.build()
    start_traits(ranker, log.impressions.ads, None)
    return ranker


def logits(ranker, log, **others):
    """Of the first rows, as if these were of people who are not known."""
    inputs, *_ = next(iter(log.batches(500)))
    nobody = dict(inputs) | {"user_id": 0 * inputs["user_id"]}
    return ranker(nobody | others)["clicked"].numpy(), inputs


@pytest.mark.parametrize("settings", [{}, {"use_user_id": False}])
def test_what_new_users_like_is_known_by_what_they_are(log, settings):
    ranker = ranker_of(log, **settings)
    assert ranker.slopes_of == ("age", "device", "speaks")
    found = start_linear(ranker, log.batches(500))
    assert BY_LANGUAGE in found
    assert "feature age by feature price" in found
    assert not any("device" in term for term in found)  # chance alone
    one, inputs = logits(ranker, log)
    shown = log.catalogue.columns["language"][inputs["candidate_ads"] - 1]
    is_own = shown == inputs["speaks"].numpy()
    prices = log.catalogue.columns["price"][inputs["candidate_ads"] - 1]
    of_age = inputs["age"].numpy() * prices
    gap = one[is_own].mean() - one[~is_own].mean()
    assert gap == pytest.approx(2.0, abs=0.4)
    other = np.where(is_own, inputs["speaks"] % 3 + 1, shown)
    two, _ = logits(ranker, log, speaks=other.astype(np.int32))
    assert (two < one)[is_own].all()
    assert (two > one)[~is_own].all()
    ages = np.zeros(len(one), np.float32)  # of the mean
    three, _ = logits(ranker, log, age=ages)
    assert np.corrcoef(one - three, of_age)[0, 1] > 0.9
    assert np.polyfit(of_age, one - three, 1)[0] == pytest.approx(1, abs=0.35)
    # What is not known tells nothing.
    four, _ = logits(ranker, log, age=ages + np.nan)
    assert np.abs(four - three).max() < 0.1


@pytest.mark.parametrize("weighted", [False, True])
def test_who_has_several_values_has_a_share_of_each_slope(tmp_path, weighted):
    """Some speak two languages, of which each counts for its share."""
    random = np.random.default_rng(0)
    of_ads, users = random.integers(4, size=30), random.integers(400, size=6000)
    ads = random.integers(30, size=6000)
    first, second = random.integers(4, size=(2, 400))
    shares = random.choice([0.25, 0.5, 1.0] if weighted else [0.5, 1.0], 400)
    second[shares == 1] = first[shares == 1]
    share = (of_ads[ads] == first[users]) * shares[users]
    share += (of_ads[ads] == second[users]) * (1 - shares[users])
    clicks = random.random(6000) < scipy.special.expit(3.0 * share - 1.5)
    spoken = [
        (f"l{a}:{w} l{b}:{1 - w}" if weighted else f"l{a} l{b}")
        if w < 1
        else (f"l{a}:2" if weighted else f"l{a}")
        for a, b, w in zip(first, second, shares, strict=True)
    ]
    folder = prepared(
        tmp_path,
        LISTS.replace("WEIGHTED", str(weighted).lower()),
        ads=["id,language"] + [f"a{i},l{k}" for i, k in enumerate(of_ads)],
        users=["user,speaks"] + [f"u{i},{s}" for i, s in enumerate(spoken)],
        log=["user,ad,time,click", *lines_of(users, ads, clicks)],
    )
    log = data.open_dataset(folder)
    ranker = ranker_of(log)
    assert BY_LANGUAGE in start_linear(ranker, log.batches(500))
    inputs, *_ = next(iter(log.batches(500)))
    of_ads = ranker.ad_tower.encode(
        {"slate": (inputs["candidate_ads"], ("ad_traits",))}
    )["slate"]["ad_traits"]
    slopes = ranker.context_slopes(inputs)[:, -of_ads.shape[1] :]
    told = tf.einsum("nk,nk->n", slopes, of_ads)  # signals come before
    assert np.polyfit(share[:500], told, 1)[0] == pytest.approx(3.0, abs=0.6)
    assert np.corrcoef(share[:500], told)[0, 1] > 0.98


def test_they_are_found_again_as_they_were_held(log):
    ranker = ranker_of(log)
    start_linear(ranker, log.batches(500))
    weights = ranker.context_slopes.weights
    found = [w.numpy() for w in weights]
    held = ranker.slope_penalties.numpy()
    assert held.any()
    for weight in weights:
        weight.assign(0 * weight)
    refit_slopes(ranker, log.batches(500))
    for weight, value in zip(weights, found, strict=True):
        np.testing.assert_allclose(weight, value, atol=1e-3)
    ranker.slope_penalties.assign(100 * held)
    refit_slopes(ranker, log.batches(500))
    sizes = [abs(w.numpy()).sum() for w in weights]
    assert sum(sizes) < 0.7 * sum(abs(w).sum() for w in found)
    np.testing.assert_allclose(ranker.slope_penalties, 100 * held)


def test_a_value_that_came_since_begins_without(folder, log, tmp_path):
    ranker = ranker_of(log)
    ranker.compile_from_config({"optimizer": "sgd"})
    start_linear(ranker, log.batches(500))
    more = write_log(tmp_path / "b", np.array([*LANGUAGES, "fr"]), seed=1)
    data.join_datasets(folder, more, tmp_path / "c")
    whole = data.open_dataset(tmp_path / "c")
    grown = training.grow_vocabulary(ranker, log, whole)
    (was,), (now,) = (
        [w.numpy() for w in r.context_slopes.weights if "speaks" in w.name]
        for r in (ranker, grown)
    )
    assert len(now) == len(was) + 1
    np.testing.assert_array_equal(now[:-1], was)
    assert not now[-1].any()
    np.testing.assert_array_equal(grown.slope_penalties, ranker.slope_penalties)


def test_what_is_served_has_them(log):
    ranker = ranker_of(log)
    start_linear(ranker, log.batches(500))
    rows = np.arange(8)
    inputs, *_ = next(iter(log.select(rows).batches(8)))
    service = serving.RankingService(ranker, log)
    asked = serving.answers(service, service.signatures("serving_default"))
    found = asked["serving_default"](**serving.replay(log, rows))["pctr"]
    expected = scipy.special.expit(ranker(inputs)["clicked"])
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-5)
