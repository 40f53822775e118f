"""Requests that a server merges, filled up as TensorFlow Serving does it.

`filled` is that server's rule, written anew: shapes that differ are made alike
behind each axis but the first, with the first element of each request's tensor.
"""

import functools
import itertools

import numpy as np
import pytest

from tests.serving import test_finder, worlds
from tests.serving.shop import shop
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.serving.merging import mergeable, merged
from tfadrec.serving.requests import as_slates, new_ads, without_candidates

ANY = None


def filled(requests):
    """Several requests as one; each is its rows."""
    together = {}
    for name in requests[0]:
        parts = [request[name] for request in requests]
        shape = np.max([part.shape[1:] for part in parts], axis=0)
        alike = []
        for part in parts:
            if part.shape[1:] != tuple(shape):
                assert part.size, f"{name}: got empty tensor"
                wide = np.empty([len(part), *shape], part.dtype)
                wide[:] = part.flat[0]
                wide[tuple(map(slice, part.shape))] = part
                part = wide
            alike.append(part)
        together[name] = np.concatenate(alike)
    return together


def specs(**inputs):
    return {
        name: tf.TensorSpec(shape, dtype, name)
        for name, (shape, dtype) in inputs.items()
    }


USER = specs(
    history_ads=([ANY, ANY], tf.int64),
    history_ages=([ANY, ANY], tf.int32),
    history_length=([ANY], tf.int32),
    history_words=([ANY, ANY, ANY], tf.string),
    history_pixel=([ANY, ANY, 2], tf.float32),
    likes=([ANY, ANY], tf.string),
    likes_weights=([ANY, ANY], tf.float32),
    by_keys=([ANY, ANY], tf.string),
    by_values=([ANY, ANY], tf.float64),
    new_tags=([ANY, ANY], tf.string),  # of users, whatever it is called
)
ROWS = USER | specs(
    candidate_ads=([ANY], tf.int64),
    bid=([ANY], tf.float64),
    terms=([ANY, ANY], tf.string),
)
SLATES = USER | specs(
    candidate_ads=([ANY, ANY], tf.int64),
    bid=([ANY, ANY], tf.float64),
    terms=([ANY, ANY, ANY], tf.string),
)
KNOWN = {
    "serving_default": ROWS,
    "score_slate": SLATES,
    "recommend": USER | specs(exclude_ads=([ANY, ANY], tf.int64)),
    "recommend_from": SLATES | specs(bids=([ANY, ANY], tf.float32)),
    "score_new_ads": SLATES
    | specs(
        new_ads=([ANY, ANY], tf.int64),
        new_terms=([ANY, ANY, ANY], tf.string),
        new_token_ids=([ANY, ANY, ANY], tf.int32),
        new_brand=([ANY, ANY], tf.string),
    ),
}


@pytest.mark.parametrize(
    ("signature", "name", "given", "wanted"),
    [
        ("serving_default", "likes", [["a", "b"]], [["", "a", "b"]]),
        ("serving_default", "likes", [[]], [[""]]),
        ("serving_default", "likes_weights", [[2.0]], [[0.0, 2.0]]),
        ("serving_default", "by_keys", [["k"]], [["", "k"]]),
        ("serving_default", "by_values", [[1.0]], [[np.nan, 1.0]]),
        ("serving_default", "terms", [["a"]], [["", "a"]]),
        ("serving_default", "candidate_ads", [7], [7]),
        ("serving_default", "new_tags", [["a"]], [["", "a"]]),
        ("serving_default", "history_ads", [[7, 8]], [[7, 8]]),
        ("serving_default", "history_ads", [[]], [[-1]]),
        ("serving_default", "history_ages", [[], []], [[0], [0]]),
        ("serving_default", "history_length", [0], [0]),
        ("serving_default", "history_words", [[["a"]]], [[["", "a"]]]),
        ("score_slate", "candidate_ads", [[7, 8]], [[7, 8]]),
        ("score_slate", "terms", [[["a"], ["b"]]], [[["", "a"], ["", "b"]]]),
        ("recommend", "exclude_ads", [[]], [[-1]]),
        ("recommend", "exclude_ads", [[3], [4]], [[-1, 3], [-1, 4]]),
        ("recommend_from", "candidate_ads", [[7]], [[-1, 7]]),
        ("recommend_from", "bids", [[2.0]], [[0.0, 2.0]]),
        ("recommend_from", "bid", [[2.0]], [[np.nan, 2.0]]),
        ("recommend_from", "terms", [[["a"]]], [[["", ""], ["", "a"]]]),
        ("score_new_ads", "new_ads", [[9]], [[9]]),
        ("score_new_ads", "new_ads", [[]], [[-1]]),
        ("score_new_ads", "new_brand", [["a"]], [["a"]]),
        ("score_new_ads", "new_terms", [[["a"]]], [[["", "a"]]]),
        ("score_new_ads", "new_token_ids", [[[5, 6]]], [[[5, 6]]]),
        ("score_new_ads", "new_tags", [["a"]], [["", "a"]]),
        # Another row would get the first one's.
        ("score_new_ads", "new_ads", [[9], [8]], [[-1, 9], [-1, 8]]),
        ("score_new_ads", "new_brand", [["a"], ["b"]], [["", "a"], ["", "b"]]),
        (
            "score_new_ads",
            "new_token_ids",
            [[[5, 6]], [[7, 8]]],
            [[[0, 0], [5, 6]], [[0, 0], [7, 8]]],
        ),
    ],
)
def test_lists_begin_with_nothing_and_none_is_empty(
    signature, name, given, wanted
):
    dtype = KNOWN[signature][name].dtype.as_numpy_dtype
    (found,) = mergeable(
        {name: np.array(given, dtype)}, signature, KNOWN
    ).values()
    assert found.dtype == dtype
    assert found.shape == np.shape(wanted)
    np.testing.assert_array_equal(found, np.array(wanted, dtype))


@pytest.mark.parametrize(
    ("feature", "ads", "wanted"),
    [
        # One row's first candidate once more is one that comes twice.
        (([ANY, ANY], tf.float64), [[7, 8]], [[7, 8]]),
        (([ANY, ANY], tf.float64), [[]], [[-1]]),
        # Another row would get the first one's.
        (([ANY, ANY], tf.float64), [[7], [8]], [[-1, 7], [-1, 8]]),
        # And a vector would be filled up with its first number.
        (([ANY, ANY, 2], tf.float32), [[7, 8]], [[-1, 7, 8]]),
        (([ANY, ANY, ANY], tf.string), [[7, 8]], [[-1, 7, 8]]),
    ],
)
def test_candidates_of_a_list_that_others_would_join(feature, ads, wanted):
    shape, dtype = feature
    slates = specs(candidate_ads=([ANY, ANY], tf.int64), x=feature)
    known = {
        "serving_default": specs(
            candidate_ads=([ANY], tf.int64), x=(shape[1:], dtype)
        ),
        "score_slate": slates,
        "recommend_from": slates,
    }
    given = {"candidate_ads": np.array(ads, np.int64)}
    found = mergeable(given, "recommend_from", known)
    assert found["candidate_ads"].tolist() == wanted
    (found,) = mergeable(given, "score_slate", known).values()
    assert found.tolist() == ads or found.tolist() == [[-1]]


@pytest.mark.parametrize(
    ("events", "lengths", "wanted"),
    [([[7, 8]] * 4, [-1, 1, 2, 5], [0, 1, 2, 2]), ([[], []], [0, 1], [0, 0])],
)
def test_no_history_is_said_to_be_longer_than_it_is(events, lengths, wanted):
    given = {
        "history_ads": np.array(events, np.int64),
        "history_length": np.array(lengths, np.int32),
    }
    found = mergeable(given, "recommend", KNOWN)["history_length"]
    assert found.dtype == np.int32
    assert found.tolist() == wanted


def test_empty_events_have_an_empty_list_and_vector():
    given = {
        "history_words": np.zeros([1, 0, 0], object),
        "history_pixel": np.zeros([1, 0, 2], np.float32),
    }
    found = mergeable(given, "recommend", KNOWN)
    assert found["history_words"].tolist() == [[[""]]]
    assert found["history_pixel"].tolist() == [[[0.0, 0.0]]]


def test_rows_are_filled_up_as_requests():
    given = {
        "history_length": np.array([2, 0, 1]),
        "history_ads": np.array([[1, 2], [3, 4], [5, 6]]),
        "history_words": np.array(
            [[["a", "b"]] * 2, [["c", "d"]] * 2, [["e", "f"]] * 2], object
        ),
        "likes": np.array([["x"], ["y"], ["z"]], object),
        "history_pixel": np.zeros([3, 2, 2], np.float32),
        "candidate_ads": np.array([7, 8, 9]),
    }
    found = merged(given, ROWS)
    assert found["history_ads"].tolist() == [[1, 2, 1], [3, 3, 3], [5, 5, 5]]
    assert found["history_words"].tolist() == [
        [["a", "b", "a"], ["a", "b", "a"], ["a"] * 3],
        [["c", "d", "c"], ["c"] * 3, ["c"] * 3],
        [["e", "f", "e"], ["e"] * 3, ["e"] * 3],
    ]
    assert found["likes"].tolist() == [["x", "x"], ["y", "y"], ["z", "z"]]
    assert found["history_pixel"].shape == (3, 3, 2)
    assert found["candidate_ads"].tolist() == [7, 8, 9]
    assert found["history_length"].tolist() == [2, 0, 1]
    with pytest.raises(ValueError, match="`likes` is empty"):
        merged({"likes": np.zeros([3, 0], object)}, ROWS)


@functools.cache
def asked():
    """Signature -> some requests to the shop, of one row and of two.

    Their histories, lists and slates have several lengths.
    """
    world = shop()
    dataset, schema = world.dataset, world.dataset.schema
    lengths = dataset.impressions.history_lengths
    order = np.argsort(lengths, kind="stable")
    assert lengths[order[0]] == 0
    ads = dataset.catalogue.ad_ids
    found = {name: [] for name in NAMES}
    for number, rows in enumerate((order[[0]], order[[-1, 0]], order[-3:-1])):
        request = serving.replay(dataset, rows)
        n, count = len(rows), 2 + number
        choice = {
            "exclude_ads": ads[np.arange(n * number).reshape(n, number)],
            "exclude_history": np.array([True, False])[:n],
            "k": np.array([3, 2], np.int32)[:n],
        }
        user = without_candidates(schema, request)
        wide = {k: np.repeat(v[:, None], count, 1) for k, v in request.items()}
        slate = user | {k: v for k, v in wide.items() if k not in user}
        slate["candidate_ads"] = ads[np.arange(n * count).reshape(n, count)]
        bids = np.linspace(0.5, 2, n * count, dtype=np.float32)
        new = new_ads(dataset, world.reader, 1 + np.arange(n)[:, None])
        found["serving_default"].append(request)
        found["score_slate"].append(slate)
        found["recommend"].append(user | choice)
        found["encode_user"].append(user)
        found["recommend_from"].append(
            slate | choice | {"bids": bids.reshape(n, count)}
        )
        named = as_slates(schema, request) | {"candidate_ads": new["new_ads"]}
        found["score_new_ads"].append(named | new)
    return found


NAMES = (
    "serving_default",
    "score_slate",
    "recommend",
    "recommend_from",
    "score_new_ads",
    "encode_user",
)


def answers_to(world, signature, requests):
    """What each request gets of a server that merges them, cut to its own."""
    whole = world.ask[signature](**filled(requests))
    ends = np.cumsum([len(r["user_id"]) for r in requests])
    parts = [np.split(values, ends[:-1]) for values in whole.values()]
    return [
        dict(zip(whole, part, strict=True)) for part in zip(*parts, strict=True)
    ]


def assert_same(found, alone):
    """An answer is as that to a request alone, but for columns behind it."""
    for name, values in alone.items():
        own = found[name][tuple(map(slice, values.shape))]
        assert own.shape == values.shape
        if values.dtype.kind == "f":
            np.testing.assert_allclose(own, values, rtol=2e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(own, values)


@pytest.mark.parametrize("signature", NAMES)
def test_answers_stay_when_a_server_merges(signature):
    """By the real rule, users without a history and pairs of rows included."""
    world = shop()
    known = worlds.specs(world)
    requests = asked()[signature]
    ready = [mergeable(each, signature, known) for each in requests]
    for pair in itertools.permutations(range(len(requests)), 2):
        served = answers_to(world, signature, [ready[n] for n in pair])
        for number, found in zip(pair, served, strict=True):
            alone = world.ask[signature](**requests[number])
            assert_same(found, alone)
    for request, prepared in zip(requests, ready, strict=True):
        again = merged(prepared, known[signature])
        assert_same(
            world.ask[signature](**again), world.ask[signature](**request)
        )


@pytest.mark.parametrize("signature", NAMES)
def test_a_length_beyond_the_history_reads_no_padding(signature):
    """The graph cuts it to the events that were sent: none, or some."""
    world = shop()
    known = worlds.specs(world)
    none, *_, longest = asked()[signature]
    for short in (none, asked()[signature][1]):
        beyond = short | {"history_length": short["history_length"] + 3}
        ready = [
            mergeable(each, signature, known) for each in (beyond, longest)
        ]
        alone = world.ask[signature](**beyond)
        assert_same(world.ask[signature](**ready[0]), alone)
        found, _ = answers_to(world, signature, ready)
        assert_same(found, alone)


def test_a_row_does_not_get_the_new_ad_of_the_first_one():
    """It names that ad, and does not bring it: the ad is an unknown one."""
    world = shop()
    _, two, more = asked()["score_new_ads"]
    assert len(two["new_ads"]) == 2
    two = two | {"candidate_ads": two["new_ads"][[0, 0]]}
    wide = {
        name: np.repeat(values, 2, axis=1)
        if name.startswith("new_")
        else values
        for name, values in more.items()
    }
    known = worlds.specs(world)
    ready = [mergeable(each, "score_new_ads", known) for each in (two, wide)]
    found, _ = answers_to(world, "score_new_ads", ready)
    assert_same(found, world.ask["score_new_ads"](**two))


def test_without_that_form_they_fail_or_change():
    """Which is what the form is for."""
    world = shop()
    first, *others = asked()["serving_default"]
    with pytest.raises(AssertionError, match="got empty tensor"):
        filled([first, *others])
    signature = "score_new_ads"
    short, long = (dict(asked()[signature][0]) for _ in range(2))
    short["new_tags_2"] = np.array([[["y", "z"]]], object)
    long["new_tags_2"] = np.array([[["y", "z", "w"]]], object)
    alone = world.ask[signature](**short)["logits"]
    found, _ = answers_to(world, signature, [short, long])
    assert np.abs(found["logits"] - alone).max() > 1e-3
    known = worlds.specs(world)
    ready = [mergeable(each, signature, known) for each in (short, long)]
    found, _ = answers_to(world, signature, ready)
    np.testing.assert_allclose(found["logits"], alone, atol=1e-6)


def test_ads_that_are_named_twice_count_once():
    """What one row leaves out, allows or lists, filled up with its first."""
    world = test_finder.world()
    rows = np.array([3])
    ads = world.dataset.catalogue.ad_ids
    for choice in (
        {"exclude_ads": ads[None, :2]},
        {"allow_brand": np.array([["b1", "b2"]], object)},
    ):
        ((name, values),) = choice.items()
        twice = np.append(values, values[:, :1].repeat(4, 1), axis=1)
        for signature in ("retrieve", "recommend"):
            request = test_finder.users(rows, **choice)
            alone = world.ask[signature](**request)
            found = world.ask[signature](**{**request, name: twice})
            assert_same(found, alone)
    lists = shop()
    request = asked()["recommend_from"][0]
    alone = lists.ask["recommend_from"](**request)
    own = {"candidate_ads", "bids"} | {
        t for f in lists.dataset.schema.of("candidate") for t in f.tensors
    }
    twice = {
        name: np.append(values, values[:, :1].repeat(4, 1), axis=1)
        if name in own
        else values
        for name, values in request.items()
    }
    assert_same(lists.ask["recommend_from"](**twice), alone)
