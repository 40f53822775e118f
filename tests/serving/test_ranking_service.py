"""Requests as a server gets them: equal scores, and an answer to anything."""

import numpy as np
import pytest

from tests.serving import worlds
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.serving.requests import without_candidates


def repeat(request, number):
    return {k: np.repeat(v, number, axis=0) for k, v in request.items()}


def score(world, request):
    return world.score(**request)["logits"]


def user_part(world, request):
    return without_candidates(world.dataset.schema, request)


def ask(world, request, k=5, exclude=(), history=False):
    ids = world.dataset.catalogue.ad_ids
    kind = ids.dtype
    return world.recommend(
        **user_part(world, request),
        exclude_ads=np.array(list(exclude), kind).reshape(1, -1),
        exclude_history=[history],
        k=[k],
    )


def ask_from(world, request, candidates, bids, k=5, exclude=(), history=False):
    kind = world.dataset.catalogue.ad_ids.dtype
    return world.ask["recommend_from"](
        **serving.with_candidates(
            world.dataset, request, np.array(list(candidates), kind)[None]
        ),
        bids=np.array(bids, np.float32)[None],
        exclude_ads=np.array(list(exclude), kind).reshape(1, -1),
        exclude_history=[history],
        k=[k],
    )


def decoded(ids):
    return [v.decode() if isinstance(v, bytes) else int(v) for v in ids]


def some(values, value):
    """An array of the type of `values` that holds one value."""
    return np.full(np.shape(values), value, values.dtype)


@pytest.fixture
def unknown(world):
    """An id that is not in the data."""
    return "nobody" if world.dataset.schema.ad_id_type == "string" else 10**12


def test_scores_are_those_of_the_ranker(world):
    """All rows of the dataset, known and missing values alike."""
    rows = np.arange(len(world.dataset))
    answer = world.score(**serving.replay(world.dataset, rows))
    expected = world.ranker.predict(world.dataset.batches(100))["clicked"]
    assert np.ptp(expected) > 1
    # Texts near the mean of all lose digits: with other sizes of batches the
    # ranker's own logits differ by 2e-5.
    np.testing.assert_allclose(answer["logits"], expected, atol=5e-5)
    probs = 1 / (1 + np.exp(-answer["logits"].astype(float)))
    np.testing.assert_allclose(answer["pctr"], probs, atol=1e-6)
    assert answer["pctr"].dtype == answer["logits"].dtype == np.float32


def test_conversions_are_answered_where_they_are_learned():
    world = worlds.words()
    rows = np.arange(len(world.dataset))
    answer = world.score(**serving.replay(world.dataset, rows))
    expected = world.ranker.predict(world.dataset.batches(100))
    for name, task in (
        ("pcvr", "converted_if_clicked"),
        ("pctcvr", "converted"),
    ):
        probs = 1 / (1 + np.exp(-expected[task].astype(float)))
        assert np.ptp(probs) > 0.02
        np.testing.assert_allclose(answer[name], probs, rtol=1e-5)
        assert answer[name].dtype == np.float32
    np.testing.assert_allclose(
        answer["pctcvr"], answer["pctr"] * answer["pcvr"], rtol=1e-5
    )
    np.testing.assert_array_equal(answer["score"], answer["pctcvr"])
    numbers = worlds.numbers()
    answer = numbers.score(**serving.replay(numbers.dataset, [0]))
    assert set(answer) == {"pctr", "logits", "score"}
    np.testing.assert_array_equal(answer["score"], answer["pctr"])


def test_one_row_is_scored_as_it_is_among_many(world):
    rows = np.array([len(world.dataset) - 1, 3, 40])
    many = score(world, serving.replay(world.dataset, rows))
    for place, row in enumerate(rows):
        one = score(world, serving.replay(world.dataset, rows[[place]]))
        assert one.shape == (1,), row
        np.testing.assert_allclose(one, many[[place]], atol=1e-5)


def test_an_unknown_user_is_row_0(world, request_of, unknown):
    known = score(world, request_of)
    request_of["user_id"] = some(request_of["user_id"], unknown)
    answer = score(world, request_of)
    assert abs(answer - known) > 1e-4
    inputs, *_ = next(
        iter(
            world.dataset.select(
                [int(world.dataset.impressions.history_lengths.argmax())]
            ).batches(1)
        )
    )
    inputs["user_id"] = 0 * inputs["user_id"]
    expected = world.ranker(inputs, training=False)["clicked"]
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_an_unknown_ad_is_row_0(world, request_of, unknown):
    request_of["candidate_ads"] = some(request_of["candidate_ads"], unknown)
    answer = score(world, request_of)
    inputs, *_ = next(
        iter(
            world.dataset.select(
                [int(world.dataset.impressions.history_lengths.argmax())]
            ).batches(1)
        )
    )
    inputs["candidate_ads"] = 0 * inputs["candidate_ads"]
    expected = world.ranker(inputs, training=False)["clicked"]
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_an_empty_history_is_the_same_in_every_form(world, request_of):
    """T = 0, a length of 0, a negative length."""
    empty = dict(request_of)
    for name in ("history_ads", "history_events", "history_ages"):
        empty[name] = request_of[name][:, :0]
    empty["history_length"] = np.zeros(1, np.int32)
    expected = score(world, empty)
    assert np.isfinite(expected).all()
    assert abs(expected - score(world, request_of)) > 1e-4
    for length in (0, -1, -(2**31)):
        request_of["history_length"] = np.array([length], np.int32)
        np.testing.assert_allclose(
            score(world, request_of), expected, atol=1e-5
        )
    empty["history_length"] = np.array([9], np.int32)
    np.testing.assert_allclose(score(world, empty), expected, atol=1e-5)


def test_a_longer_history_keeps_its_newest(world, request_of):
    """Six events are read; older ones before them change nothing."""
    expected = score(world, request_of)
    assert request_of["history_ads"].shape == (1, 6)
    ads = world.dataset.catalogue.ad_ids[:4][None]
    longer = {
        **request_of,
        "history_ads": np.concatenate([ads, request_of["history_ads"]], 1),
        "history_events": np.concatenate(
            [request_of["history_events"][:, :4], request_of["history_events"]],
            axis=1,
        ),
        "history_ages": np.concatenate(
            [np.full([1, 4], 9, np.int32), request_of["history_ages"]], axis=1
        ),
        "history_length": np.array([10], np.int32),
    }
    np.testing.assert_allclose(score(world, longer), expected, atol=1e-5)
    # A length beyond what was sent means all of it.
    longer["history_length"] = np.array([99], np.int32)
    np.testing.assert_allclose(score(world, longer), expected, atol=1e-5)
    # One event less at the end is another history.
    longer["history_length"] = np.array([9], np.int32)
    assert abs(score(world, longer) - expected) > 1e-4


def test_padding_is_never_looked_at(world, request_of):
    """A server pads a batch with each tensor's first element."""
    request_of["history_length"] = np.array([2], np.int32)
    expected = score(world, request_of)
    for width in (2, 4, 11):
        padded = dict(request_of)
        for name in ("history_ads", "history_events", "history_ages"):
            values = request_of[name]
            first = np.repeat(values[:, :1], width, axis=1)
            first[:, :2] = values[:, :2]
            padded[name] = first
        np.testing.assert_allclose(score(world, padded), expected, atol=1e-5)


def test_rows_of_different_lengths_share_a_batch(world, request_of):
    """Ragged histories, each cut on its own."""
    batch = repeat(request_of, 4)
    batch["history_length"] = np.array([0, 3, 6, 5], np.int32)
    answers = score(world, batch)
    for place, length in enumerate(batch["history_length"]):
        request_of["history_length"] = np.array([length], np.int32)
        alone = score(world, request_of)
        np.testing.assert_allclose(answers[[place]], alone, atol=1e-5)


def test_an_unknown_category_is_a_missing_one(world, request_of):
    features = world.dataset.schema.of("context", "candidate")
    name = next(f.tensor for f in features if f.vocabulary)
    answers = []
    for value in ("", "no such place"):
        request_of[name] = np.array([value], object)
        answers.append(score(world, request_of))
    np.testing.assert_array_equal(*answers)


def test_a_missing_number_has_the_answer_that_was_trained():
    """As in the ranker, and the same whatever cannot be read."""
    world = worlds.numbers()
    request = serving.replay(world.dataset, [5])
    context = world.dataset.schema.of("context")
    feature = next(f for f in context if f.std != 1)
    inputs, *_ = next(iter(world.dataset.select([5]).batches(1)))
    inputs["scroll"] = tf.constant([np.nan], tf.float32)
    expected = world.ranker(inputs, training=False)["clicked"]
    answers = []
    for value in (np.nan, -np.inf, 1e101):
        request["scroll"] = np.array([value])
        answers.append(score(world, request))
        np.testing.assert_allclose(answers[-1], expected, atol=1e-5)
    request["scroll"] = np.array([feature.mean + 3 * feature.std])
    assert abs(score(world, request) - answers[0]) > 1e-4


def test_recommend_is_brute_force_over_the_catalogue(world, request_of):
    """The ids and scores of a sort over `serving_default` for all ads."""
    ids = world.dataset.catalogue.ad_ids
    batch = repeat(user_part(world, request_of), len(ids))
    scored = world.score(**serving.with_candidates(world.dataset, batch, ids))
    answer = ask(world, request_of, k=len(ids))
    found = decoded(answer["ad_ids"][0])
    assert len(set(found)) == len(ids)
    np.testing.assert_allclose(
        answer["score"][0], np.sort(scored["score"])[::-1], rtol=1e-5
    )
    place = {ad: n for n, ad in enumerate(ids)}
    rows = [place[ad] for ad in found]
    for name, values in scored.items():
        np.testing.assert_allclose(answer[name][0], values[rows], atol=1e-5)


def test_recommend_from_is_brute_force_over_the_list(world, request_of):
    """By score times bid: no repeats, no unknown ad, no excluded one."""
    ids = list(world.dataset.catalogue.ad_ids[2:9])
    bids = np.array([3.0, 0.1, 9.0, 2.0, 0.0, 1.0, 5.0])
    batch = repeat(user_part(world, request_of), 7)
    scored = world.score(
        **serving.with_candidates(world.dataset, batch, np.array(ids))
    )
    order = np.argsort(-scored["score"] * bids)
    answer = ask_from(world, request_of, ids, bids, k=7)
    assert decoded(answer["ad_ids"][0]) == [ids[i] for i in order]
    assert not np.array_equal(order, np.argsort(-scored["score"]))
    for name, values in scored.items():
        np.testing.assert_allclose(answer[name][0], values[order], atol=1e-5)
    best = [ids[i] for i in order if i != 0]
    answer = ask_from(world, request_of, ids, bids, k=3, exclude=ids[:1])
    assert decoded(answer["ad_ids"][0]) == best[:3]
    # Of two bids for an ad the higher one counts.
    answer = ask_from(
        world, request_of, [*ids, ids[4]], [*bids, 1000.0], k=len(ids) + 1
    )
    others = [ids[i] for i in order if i != 4]
    filler = "" if world.dataset.schema.ad_id_type == "string" else -1
    assert decoded(answer["ad_ids"][0])[:8] == [ids[4], *others, filler][:8]


def test_recommend_from_leaves_out_what_is_unknown(world, request_of, unknown):
    ids = world.dataset.catalogue.ad_ids[:2]
    filler = "" if world.dataset.schema.ad_id_type == "string" else -1
    answer = ask_from(world, request_of, [unknown, ids[1]], [9, 1], k=2)
    assert decoded(answer["ad_ids"][0]) == [ids[1], filler]
    assert answer["pctr"][0, 1] == answer["score"][0, 1] == 0
    seen = list(request_of["history_ads"][0])
    answer = ask_from(world, request_of, seen, [1] * 6, k=1, history=True)
    assert decoded(answer["ad_ids"][0]) == [filler]
    assert ask_from(world, request_of, [], [])["ad_ids"].shape[0] == 1


@pytest.mark.parametrize("bids", [[-1], [np.nan], [np.inf], [1, 1]])
def test_recommend_from_refuses_bids(world, request_of, bids):
    ids = world.dataset.catalogue.ad_ids[:1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="`bids` must "):
        ask_from(world, request_of, ids, bids)


def test_examples_are_scored_as_rows_are(world):
    rows = np.arange(0, len(world.dataset), 7)
    request = serving.replay(world.dataset, rows)
    if "scroll" in request:
        # An example's numbers are float32.
        request["scroll"] = request["scroll"].astype(np.float32)
    expected = world.score(**request)
    found = world.ask["serve_examples"](examples=serving.to_examples(request))
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)


def test_what_an_example_lacks_is_unknown(world, request_of, unknown):
    empty = tf.train.Example().SerializeToString()
    found = world.ask["serve_examples"](examples=np.array([empty], object))
    request = {k: v[:, :0] if v.ndim == 2 else v for k, v in request_of.items()}
    for name, values in request.items():
        if values.dtype == object:
            request[name] = some(values, "")
        elif values.dtype.kind == "f":
            request[name] = some(values, np.nan)
    for name in ("user_id", "candidate_ads"):
        request[name] = some(request_of[name], unknown)
    request["history_length"] = np.zeros(1, np.int32)
    np.testing.assert_allclose(
        found["logits"], score(world, request), atol=1e-5
    )


def test_recommend_is_for_each_user_apart(world):
    lengths = world.dataset.impressions.history_lengths
    rows = np.array([int(lengths.argmax()), int(lengths.argmin())])
    both = user_part(world, serving.replay(world.dataset, rows))
    kind = world.dataset.catalogue.ad_ids.dtype
    answer = world.recommend(
        **both,
        exclude_ads=np.zeros([2, 0], kind),
        exclude_history=[False, True],
        k=[3, 2],
    )
    assert answer["ad_ids"].shape == answer["pctr"].shape == (2, 3)
    filler = "" if world.dataset.schema.ad_id_type == "string" else -1
    for place, k in enumerate((3, 2)):
        alone = ask(
            world,
            {k: v[[place]] for k, v in both.items()},
            k=k,
            history=bool(place),
        )
        assert decoded(answer["ad_ids"][place]) == decoded(
            alone["ad_ids"][0]
        ) + [filler] * (3 - k)
        np.testing.assert_allclose(
            answer["logits"][place, :k], alone["logits"][0], atol=1e-5
        )


def test_excluded_ads_do_not_come(world, request_of, unknown):
    best = decoded(ask(world, request_of, k=5)["ad_ids"][0])
    rest = ask(world, request_of, k=3, exclude=[best[0], unknown, best[2]])
    assert decoded(rest["ad_ids"][0]) == [best[1], best[3], best[4]]


def test_the_history_can_be_left_out(world, request_of):
    """As far as it is read and real."""
    seen = set(request_of["history_ads"][0])
    total = len(world.dataset.catalogue)
    every = set(decoded(ask(world, request_of, k=total)["ad_ids"][0]))
    assert seen <= every
    answer = ask(world, request_of, k=total, history=True)
    found = decoded(answer["ad_ids"][0])
    assert set(found[: total - len(seen)]) == every - seen
    assert (answer["pctr"][0, total - len(seen) :] == 0).all()
    # What stands in padding is no history.
    request_of["history_length"] = np.zeros(1, np.int32)
    answer = ask(world, request_of, k=total, history=True)
    assert set(decoded(answer["ad_ids"][0])) == every


def test_more_than_there_is(world, request_of):
    """`k` beyond the catalogue gives the catalogue."""
    total = len(world.dataset.catalogue)
    answer = ask(world, request_of, k=10 * total)
    assert answer["ad_ids"].shape == (1, total)
    assert ask(world, request_of, k=0)["ad_ids"].shape == (1, 0)
    assert ask(world, request_of, k=-5)["ad_ids"].shape == (1, 0)


def test_nothing_left_is_filled_up(world, request_of):
    ids = world.dataset.catalogue.ad_ids
    answer = ask(world, request_of, k=3, exclude=ids[1:])
    filler = "" if world.dataset.schema.ad_id_type == "string" else -1
    assert decoded(answer["ad_ids"][0]) == [ids[0], filler, filler]
    assert (answer["pctr"][0, 1:] == 0).all()
    assert answer["pctr"][0, 0] > 0
    answer = ask(world, request_of, k=2, exclude=ids)
    assert decoded(answer["ad_ids"][0]) == [filler, filler]
