"""Retrieval in a service, against all inner products in NumPy."""

import dataclasses
import functools
import json
import logging
import types

import numpy as np
import pytest

from tests.serving import shop
from tfadrec import models, retrieval, serving
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.serving import finder, learn_anchors, retrieval_parity
from tfadrec.serving.requests import request_for_user

K = 4


def retriever_of(dataset, interests=1):
    keras.utils.set_random_seed(0)
    retriever = models.AdRetriever.for_dataset(
        dataset, ad_tower={"width": 4}, interests=interests
    )
    random = np.random.default_rng(3)
    for variable in retriever.trainable_variables:
        variable.assign(random.normal(0, 0.4, variable.shape))
    return retriever


@functools.cache
def world():
    """The shop, and a service that finds and ranks `K` ads."""
    dataset, ranker = shop.dataset(), shop.shop().ranker
    retriever = retriever_of(dataset)
    service = serving.RankingService(
        ranker, dataset, retriever=retriever, candidates=K, filters=["brand"]
    )
    signatures = service.signatures("retrieve", "recommend")
    return types.SimpleNamespace(
        dataset=dataset,
        retriever=retriever,
        filters=service.finder.specs(),
        service=service,
        ask=serving.answers(service, signatures),
    )


def users(rows, **choice):
    """A request of the users of some rows."""
    dataset = world().dataset
    asked = retrieval_parity.ask(
        dataset, serving.replay(dataset, rows), world().filters
    )
    return {**asked, **choice}


def scores(rows):
    """The inner products of users and ads, [n, N]."""
    inputs, *_ = next(iter(world().dataset.select(rows).batches(len(rows))))
    vectors = world().retriever.catalogue_vectors()
    return (world().retriever(inputs)["user"].numpy() @ vectors.T)[:, 1:]


ROWS = np.array([3, 40, 90])


def test_the_best_by_inner_products():
    """Without what is excluded, of the brands that are allowed, `k` per row."""
    found = scores(ROWS)
    ads = world().dataset.catalogue.ad_ids
    brands = world().dataset.catalogue.columns["brand"]
    features = world().dataset.schema.of("ad")
    brand = next(each for each in features if each.name == "brand")
    names = ["", *brand.vocabulary]
    best = ads[np.argsort(-found, axis=1)]
    asked = users(
        ROWS,
        k=np.array([2, 9, 3], np.int32),
        exclude_ads=np.stack([best[:, 0], np.full(3, "nobody")], 1),
        allow_brand=np.array([["", ""], ["b1", "b2"], ["b9", ""]], object),
    )
    answer = world().ask["retrieve"](**asked)
    told = answer["ad_ids"].astype(str)
    assert told[0, :2].tolist() == best[0, 1:3].tolist()
    assert (told[0, 2:] == "").all()
    fits = np.isin(np.array(names, object)[brands], ["b1", "b2"])
    expected = [a for a in best[1, 1:] if fits[list(ads).index(a)]]
    assert told[1, : len(expected)].tolist() == expected
    assert 0 < len(expected) < 7
    # "b9" is no brand that there is.
    assert (told[2] == "").all()
    is_there = told != ""
    assert np.isneginf(answer["scores"][~is_there]).all()
    np.testing.assert_allclose(
        answer["scores"][0, :2],
        -np.sort(-found[0])[1:3],
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_list_for_people_is_of_the_brands_that_are_allowed(caplog):
    """What is not asked for is filled up; a bundle knows its own filters."""
    dataset = world().dataset
    brands = dataset.catalogue.columns["brand"]
    features = dataset.schema.of("ad")
    brand = next(each for each in features if each.name == "brand")
    own = brands == 1 + brand.vocabulary.index("b1")
    expected = set(dataset.catalogue.ad_ids[own])

    def ids(**choice):
        found = serving.recommend(
            world().ask["recommend"], dataset, "nobody", k=9, **choice
        )
        return {ad["ad_id"] for ad in found}

    assert ids(allow={"brand": ["b1"]}) == expected
    assert 0 < len(expected) < K
    assert len(ids()) == K
    assert not caplog.records
    assert ids(allow={"brand": ["b1", "nosuch", ""]}) == expected
    assert "No ad has one of these as its brand: nosuch." in caplog.text
    with pytest.raises(InputError, match=r"by, brand\. Received: hue\."):
        ids(allow={"hue": ["red"]})
    with pytest.raises(InputError, match=r"Received: now_seconds=7 for one"):
        ids(now_seconds=7)
    for wrong in ("b1", ["b1", None], [1]):
        with pytest.raises(InputError, match="list of texts for 'brand'"):
            ids(allow={"brand": wrong})


def test_a_list_for_people_has_ads_that_came_since():
    """Without their titles, which the dataset does not have."""
    dataset = world().dataset
    ids = dataset.catalogue.ad_ids

    class Grown:
        inputs = {**world().ask["recommend"].inputs}

        def __call__(self, **asked):
            answer = {
                name: np.array(values)
                for name, values in world().ask["recommend"](**asked).items()
            }
            answer["ad_ids"][0, 0] = b"came later"
            return answer

    found = serving.recommend(Grown(), dataset, "nobody", k=3)
    assert [ad["rank"] for ad in found] == [1, 2, 3]
    assert (found[0]["ad_id"], found[0]["title"]) == ("came later", "")
    assert {ad["ad_id"] for ad in found[1:]} <= set(ids)


def test_the_ranker_orders_what_is_found():
    """Of all ads the best are as without a retriever; of K, of these alone."""
    asked = users(ROWS, k=np.array([3, 9, 3], np.int32))
    choice = {k: v for k, v in asked.items() if k != "allow_brand"}
    everything = shop.shop().ask["recommend"](**{**choice, "k": [9, 9, 9]})
    found = world().ask["recommend"](**asked)
    ads = world().dataset.catalogue.ad_ids
    best = ads[np.argsort(-scores(ROWS), axis=1)[:, :K]]
    for row, most in enumerate([3, K, 3]):
        place = np.isin(everything["ad_ids"][row].astype(str), best[row])
        expected = everything["ad_ids"][row][place][:most]
        assert found["ad_ids"][row, :most].tolist() == expected.tolist()
        assert (found["ad_ids"][row, most:] == b"").all()
        np.testing.assert_allclose(
            found["score"][row, :most],
            everything["score"][row][place][:most],
            rtol=1e-5,
        )


@pytest.mark.parametrize("exact_rows", [4, 20])
def test_the_best_of_several_interests(monkeypatch, exact_rows):
    """An ad's score is that of the interest it fits best, in lists as well."""
    monkeypatch.setattr(
        finder,
        "build_index",
        functools.partial(retrieval.build_index, exact_rows=exact_rows),
    )
    dataset = world().dataset
    retriever = retriever_of(dataset, interests=3)
    service = serving.RankingService(
        shop.shop().ranker,
        dataset,
        retriever=retriever,
        candidates=K,
        filters=["brand"],
    )
    signatures = service.signatures("retrieve", "recommend")
    ask = serving.answers(service, signatures)
    inputs, *_ = next(iter(dataset.select(ROWS).batches(len(ROWS))))
    products = retriever(inputs)["user"].numpy()
    products = products @ retriever.catalogue_vectors()[1:].T  # [B, K, N]
    assert (products.argmax(axis=1) > 0).any()
    found = products.max(axis=1)
    ads = dataset.catalogue.ad_ids
    order = np.argsort(-found, axis=1)
    first = ads[order[:, 0]]
    asked = users(ROWS, k=np.full(3, 8, np.int32), exclude_ads=first[:, None])
    answer = ask["retrieve"](**asked)
    expected = ads[order[:, 1:]]
    np.testing.assert_array_equal(answer["ad_ids"].astype(str), expected)
    np.testing.assert_allclose(
        answer["scores"], -np.sort(-found)[:, 1:], rtol=1e-4, atol=1e-5
    )
    given = ask["recommend"](**asked)["ad_ids"].astype(str)
    for row in range(3):
        assert set(given[row, :K]) == set(expected[row, :K])
    answer = replayed(ask)
    parity = retrieval_parity.RetrievalParity(retriever, dataset, ROWS)
    assert parity.difference(answer) < 1e-5
    # What was taken down is not missed, and must not be given.
    gone = (ads[order[0, 0]],)
    service.remove(gone)
    without = replayed(ask)
    parity = retrieval_parity.RetrievalParity(retriever, dataset, ROWS, gone)
    assert parity.difference(without) < 1e-5
    assert parity.overlap == 1.0
    assert parity.difference(answer) == np.inf


def replayed(ask):
    """Texts as another process hands them over, with a full stop."""
    answer = ask["retrieve"](**users(ROWS))
    plain = np.array([i + b"." for i in answer["ad_ids"].flat], "S")
    return answer | {"ad_ids": plain.reshape(answer["ad_ids"].shape)}


class Imitation:
    """Vectors at random that are to be like a ranker's logits."""

    imitates = True

    def __init__(self, interests=()):
        random = np.random.default_rng(5)
        self.table = random.normal(size=(10, 5)).astype(np.float32)
        self.queries = random.normal(size=(60, *interests, 5)).astype("f4")

    def catalogue(self):
        return self.table

    def of_rows(self, rows):
        return tf.gather(self.table, rows)

    def users(self, request, side):
        return tf.constant(self.queries[: len(request["user_id"])])


def found_in_two(user, vectors, worth, k):
    """The rows of candidates in NumPy, in the order in which they are found.

    Half of them by the inner products of a user's vectors [K, D], and half by
    those of what fits the worth [N + 1] of the first half best.
    """
    order = 1 + np.argsort(-(vectors[1:] @ user.T).max(axis=1))
    first, others = order[: k - k // 2], order[k - k // 2 :]
    known = vectors[first] - vectors[first].mean(0)
    gaps = worth[first] - worth[first].mean()
    guess = (vectors[first] @ user.T).max(axis=1)
    guess -= guess.mean()
    scale = max(0, gaps @ guess / (guess @ guess))
    penalty = 0.1 * np.square(known).sum() / known.shape[1]
    inverse = np.linalg.inv(known.T @ known + penalty * np.eye(known.shape[1]))
    fitted = scale * user + inverse @ known.T @ (gaps - scale * guess)
    again = others[np.argsort(-(vectors[others] @ fitted.T).max(axis=1))]
    return np.concatenate([first, again[: k // 2]])


def find_and_rank(k, imitates=True, interests=(), **choice):
    """What is found and ranked, the worth of all rows, and all that matters."""
    vectors = Imitation(interests)
    vectors.imitates = imitates
    scorer = world().service._scorer
    asked = users(ROWS, exclude_ads=np.zeros([3, 0], object), **choice)
    request = {name: tf.constant(v) for name, v in asked.items()}
    made = finder.Finder(
        vectors, world().dataset, scorer, candidates=k, filters=["brand"]
    )
    worth = np.random.default_rng(k).normal(size=(3, 10)).astype(np.float32)
    ranked = []

    def rank(rows):
        ranked.append(rows.shape[1])
        return {"clicked": tf.gather(worth, rows, batch_dims=1)}

    found, logits = made.find_and_rank(
        *(request, scorer.read_user(request)),
        *(tf.constant(UNWANTED), k, rank, "clicked"),
    )
    for number, rows in enumerate(found.numpy()):
        told = logits["clicked"][number].numpy()
        np.testing.assert_array_equal(told, worth[number, rows])
    return found.numpy(), worth.astype(np.float64), vectors, ranked


UNWANTED = [[3, 5, 0], [2, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(("k", "interests"), [(4, ()), (5, ()), (5, (3,))])
def test_the_ranker_corrects_what_the_other_half_is_found_by(k, interests):
    found, worth, vectors, ranked = find_and_rank(k, interests=interests)
    assert ranked == [k - k // 2, k // 2]
    once, *_, ranked = find_and_rank(k, imitates=False, interests=interests)
    assert ranked == [k]
    # The last user leaves out nothing.
    user = np.atleast_2d(vectors.queries[2].astype(np.float64))
    expected = found_in_two(user, vectors.table, worth[2], k)
    assert found[2].tolist() == expected.tolist()
    by_one = (vectors.table[1:] @ user.T).max(axis=1)
    by_one = 1 + np.argsort(-by_one)[:k]
    assert once[2].tolist() == by_one.tolist()
    assert set(found[2]) != set(once[2])


def test_a_retriever_that_imitates_is_told_by_the_export():
    dataset, ranker = world().dataset, shop.shop().ranker
    for distilled in (False, True):
        service = serving.RankingService(
            *(ranker, dataset),
            retriever=world().retriever,
            distilled=distilled,
        )
        assert service.finder.vectors.imitates == distilled


@pytest.mark.parametrize("k", [1, 2, 5, 30])
def test_candidates_are_distinct_and_none_that_is_left_out(k):
    """One alone, and more than there are; brands and exclusions of each user.

    Where no more than `k` ads are left, they are all found.
    """
    allow = np.array([["", ""], ["b1", "b2"], ["b9", ""]], object)
    found, *_, ranked = find_and_rank(k, allow_brand=allow)
    assert ranked == [k - k // 2, k // 2]
    assert found.shape == (3, k)
    brands = world().dataset.catalogue.columns["brand"]
    features = world().dataset.schema.of("ad")
    brand = next(each for each in features if each.name == "brand")
    codes = [1 + brand.vocabulary.index(name) for name in ("b1", "b2")]
    allowed = [
        set(range(1, 10)) - {3, 5},
        set(1 + np.flatnonzero(np.isin(brands, codes))) - {2},
        set(),
    ]
    for rows, fit in zip(found, allowed, strict=True):
        there = rows[rows > 0]
        assert len(there) == len(set(there)) == min(k, len(fit))
        assert set(there) <= fit


def test_parity_sees_other_scores_and_another_order():
    expected = retrieval_parity.RetrievalParity(
        world().retriever, world().dataset, ROWS
    )
    answer = world().ask["retrieve"](**users(ROWS))
    plain = np.array([i + b"." for i in answer["ad_ids"].flat], "S")
    answer["ad_ids"] = plain.reshape(answer["ad_ids"].shape)
    assert expected.difference(answer) < 1e-5
    assert expected.overlap == 1
    wrong = {**answer, "scores": answer["scores"].copy()}
    wrong["scores"][1, 2] += 0.1
    assert expected.difference(wrong) > 0.01
    wrong = {k: v[:, ::-1] for k, v in answer.items()}
    assert expected.difference(wrong) == np.inf
    fewer = {k: v[:, 1:] for k, v in answer.items()}
    expected.difference(fewer)
    assert expected.overlap < 1


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (["price"], r"one of brand.*Received: 'price'"),
        (["brnd"], r"one of brand.*Received: 'brnd'"),
    ],
)
def test_a_filter_is_a_category_of_ads(filters, message):
    with pytest.raises(InputError, match=message):
        serving.RankingService(
            shop.shop().ranker,
            shop.dataset(),
            retriever=world().retriever,
            filters=filters,
        )


@pytest.mark.slow
@pytest.mark.parametrize("interests", [1, 3])
def test_an_exported_bundle_retrieves(tmp_path, monkeypatch, caplog, interests):
    """Parity, the warm-up's requests and the C library, all of them.

    There are lists, of vectors in bytes, and ads that expire.
    """
    monkeypatch.setattr(
        finder,
        "build_index",
        functools.partial(retrieval.build_index, exact_rows=4),
    )
    dataset = shop.dataset()
    catalogue = dataclasses.replace(
        dataset.catalogue, expires=np.full(9, 4_000_000_000)
    )
    with caplog.at_level(logging.INFO, "tfadrec.serving"):
        folder = serving.export_bundle(
            shop.shop().ranker,
            dataclasses.replace(dataset, catalogue=catalogue),
            tmp_path,
            native=True,
            retriever=retriever_of(shop.dataset(), interests=interests),
            filters=["brand"],
            codes=2,
        )
    told = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("tfadrec")  # TensorFlow tells much as well
    ]
    assert told[:5] == [
        "Encoding ads",
        "Building an index of 9 ads",
        "Tracing and writing the signatures",
        "Replaying rows in other processes",
        "Replaying requests in TensorFlow's C library",
    ]
    replayed = told[5:]
    told = json.loads((folder / "parity.json").read_text())
    assert told["retrieve_overlap"] > 0.9
    assert any(case.startswith("retrieve, ") for case in told["differences"])
    told = json.loads((folder / "native.json").read_text())
    asked = [request["signature"] for request in told["requests"]]
    assert {"retrieve", "recommend"} <= set(asked)
    assert replayed == [
        f"Replaying in TensorFlow's C library: {name}, {i} of {len(asked)}"
        for i, name in enumerate(asked, 1)
    ]
    user = request_for_user(shop.dataset(), "u1")
    ask = serving.open_bundle(folder)["recommend"]
    for now, is_left in ((0, True), (4_000_000_000, False)):
        answer = ask(
            **user,
            exclude_ads=[[]],
            exclude_history=[False],
            k=[3],
            allow_brand=[[]],
            now_seconds=[now],
        )
        assert ((answer["ad_ids"] != b"") == is_left).all()
        found = serving.recommend(
            ask, shop.dataset(), "u1", k=3, seen=True, now_seconds=now
        )
        assert len(found) == 3 * is_left
    for wrong in (-5, 1_796_073_345_000):
        with pytest.raises(InputError, match=rf"2200\. Received.*{wrong}\."):
            serving.recommend(ask, shop.dataset(), "u1", k=3, now_seconds=wrong)


@pytest.mark.parametrize("found_by", ["clicks", "imitation"])
def test_vectors_in_bytes_are_scored_again_by_those_of_the_bundle(
    monkeypatch, found_by
):
    """Those of a retriever's table, or encoded anew; the index keeps none."""
    monkeypatch.setattr(
        finder,
        "build_index",
        functools.partial(retrieval.build_index, exact_rows=4),
    )
    service = world().service
    vectors = Imitation() if found_by == "imitation" else service.finder.vectors
    made = finder.Finder(
        *(vectors, world().dataset, service._scorer),
        candidates=9,
        filters=["brand"],
        codes=3,
    )
    sizes = {tuple(v.shape) for v in made.index.variables}
    width = vectors.catalogue().shape[1]
    assert (9, 3) in sizes
    assert not {(9, width), (10, width)} & sizes
    request = {name: tf.constant(v) for name, v in users(ROWS).items()}
    side = service._scorer.read_user(request)
    rows, found = made.find(request, side, tf.constant(UNWANTED), 9)
    told = vectors.users(request, side).numpy() @ vectors.catalogue().T
    expected = np.take_along_axis(told, rows.numpy(), axis=1)
    expected = np.where(rows == 0, -np.inf, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert (rows.numpy() > 0).sum(1).tolist() == [7, 8, 9]


def test_no_more_bytes_than_numbers():
    with pytest.raises(InputError, match=r"5 numbers.*Received: 6"):
        finder.Finder(
            *(Imitation(), world().dataset, world().service._scorer),
            candidates=9,
            codes=6,
        )


@pytest.mark.parametrize(("candidates", "k"), [(2000, 2000), (5, 100)])
def test_enough_is_read_for_all_that_are_ranked(candidates, k, monkeypatch):
    """What the index is to find, not the hundred best of two thousand."""
    asked = {}
    monkeypatch.setattr(
        finder, "build_index", lambda _, **settings: asked.update(settings)
    )
    vectors = types.SimpleNamespace(
        catalogue=lambda: np.zeros((3, 2)), of_rows=None
    )
    requests = types.SimpleNamespace(user_specs=dict)
    finder.Finder(
        vectors,
        shop.dataset().select(np.zeros(0, int)),
        types.SimpleNamespace(requests=requests),
        candidates=candidates,
    )
    assert asked["k"] == k


@pytest.mark.parametrize("brand", ["", "b1"])
def test_as_many_candidates_as_ads_are_all_of_them(monkeypatch, brand):
    """What anchors find is then what ranking every ad gives, with filters."""
    monkeypatch.setattr(learn_anchors, "_STEPS", 3)  # vectors that know little
    found = world().dataset
    ranker = shop.shop().ranker
    count = len(found.catalogue)

    request = users(ROWS, k=np.full(3, count, np.int32))
    allowed = {"allow_brand": np.full([3, 1], brand, object)}

    def best(asked, **settings):
        service = serving.RankingService(ranker, found, **settings)
        asked = {name: tf.constant(values) for name, values in asked.items()}
        return service.recommend(**asked)["ad_ids"].numpy().astype(str)

    given = best(
        request | allowed, anchors=found, candidates=count, filters=["brand"]
    )
    del request["allow_brand"]
    expected = best(request)
    ads = found.catalogue.ad_ids
    brands = found.catalogue.columns["brand"]
    feature = found.schema.ad_category("brand")
    fits = np.ones(count, bool)
    if brand:
        fits = brands == 1 + feature.vocabulary.index(brand)
    for ids, every in zip(given, expected, strict=True):
        wanted = [i for i in every if i and fits[list(ads).index(i)]]
        assert 0 < len(wanted) <= count
        assert ids[: len(wanted)].tolist() == wanted
        assert not ids[len(wanted) :].astype(bool).any()
