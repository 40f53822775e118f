"""Features of every entity and kind, as requests bring them."""

import dataclasses
import json

import numpy as np
import pytest

from tests.serving import worlds
from tests.serving.shop import KEPT, dataset, precision, ranker_of, shop
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.features import missing_like
from tfadrec.serving.preview.servable import _reason
from tfadrec.serving.requests import (
    as_slates,
    candidates,
    new_ads,
    without_candidates,
    without_features,
)

ROWS = np.arange(40)


def trained(found, ranker, rows=ROWS):
    """The ranker's outputs, its click logits corrected by hand."""
    inputs, *_ = next(iter(found.select(rows).batches(len(rows))))
    outputs = {k: v.numpy() for k, v in ranker(inputs, training=False).items()}
    outputs["clicked"] = outputs["clicked"] + np.log(
        found.schema.negatives_kept
    )
    return outputs


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def assert_close(found, expected):
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(
            found[name], values, rtol=1e-5, atol=1e-5, err_msg=name
        )


def test_scores_are_those_of_the_ranker():
    world = shop()
    answer = world.ask["serving_default"](**serving.replay(world.dataset, ROWS))
    outputs = trained(world.dataset, world.ranker)
    assert np.ptp(outputs["clicked"]) > 0.5
    np.testing.assert_allclose(
        answer["logits"], outputs["clicked"], rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        answer["pctr"], sigmoid(outputs["clicked"]), rtol=1e-5
    )


def test_every_task_is_answered_by_its_name():
    """A label that is called as an answer is gets another name."""
    world = shop()
    answer = world.ask["serving_default"](**serving.replay(world.dataset, ROWS))
    assert set(answer) == {"logits", "pctr", "score", "revenue", "score_label"}
    outputs = trained(world.dataset, world.ranker)
    assert outputs["revenue"].min() > 0
    np.testing.assert_allclose(answer["revenue"], outputs["revenue"], rtol=1e-5)
    np.testing.assert_allclose(
        answer["score_label"], sigmoid(outputs["score"]), rtol=1e-5
    )
    np.testing.assert_array_equal(answer["score"], answer["pctr"])


def test_every_input_is_read():
    """Another value of any feature is another score."""
    world = shop()
    rows = np.flatnonzero(world.dataset.impressions.history_lengths > 1)[:20]
    request = serving.replay(world.dataset, rows)
    expected = world.ask["serving_default"](**request)["logits"]
    names = {t for f in world.dataset.schema.features for t in f.tensors}
    read = names & set(request)
    assert len(read) == 17
    for name in sorted(read):
        values = request[name]
        if values.dtype == object:
            # Every text becomes the next one; an empty one of a user would
            # be what the bundle knows.
            known = sorted({v for v in values.ravel() if v})
            places = {v: n + 1 for n, v in enumerate(known)}
            following = np.array([*known, known[0]], object)
            other = following[np.vectorize(lambda v: places.get(v, 0))(values)]  # noqa: B023
        else:
            other = np.nan_to_num(values) * 0.7 + 1
        changed = {**request, name: other.astype(values.dtype)}
        found = world.ask["serving_default"](**changed)["logits"]
        assert abs(found - expected).max() > 1e-5, name


def test_any_value_has_an_answer():
    """Finite, and never a probability of 0 or 1."""
    world = shop()
    random = np.random.default_rng(0)
    request = serving.replay(world.dataset, np.arange(100) % 40)
    odd = {
        "O": np.array(
            ["", "\0", "b1", "x" * 3000, "\u65e5\u672c", "~"], object
        ),
        "f": np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0, 1.0]),
    }
    names = {t for f in world.dataset.schema.features for t in f.tensors}
    for name in names & set(request):
        values = request[name]
        chosen = random.choice(odd[values.dtype.kind], values.shape)
        if values.dtype == np.float64:  # what float32 does not hold
            chosen *= random.choice([1e-300, 1.0, 1e60, 1e200], values.shape)
        request[name] = chosen.astype(values.dtype)
    answer = world.ask["serving_default"](**request)
    for name, values in answer.items():
        assert np.isfinite(values).all(), name
    for name in ("pctr", "score", "score_label"):
        assert answer[name].min() > 0
        assert answer[name].max() < 1


def test_slates_are_scored_as_rows_are():
    world = shop()
    request = serving.replay(world.dataset, ROWS)
    slates = as_slates(world.dataset.schema, request)
    # Each ad and its features a second time, the first ones' in front.
    own = set(candidates(world.dataset, ROWS))
    slates = {
        k: np.concatenate([v, v[::-1]], axis=1) if k in own else v
        for k, v in slates.items()
    }
    found = world.ask["score_slate"](**slates)
    expected = world.ask["serving_default"](**request)
    assert_close({k: v[:, 0] for k, v in found.items()}, expected)


def test_examples_are_scored_as_rows_are():
    world = shop()
    request = serving.replay(world.dataset, ROWS)
    expected = world.ask["serving_default"](**request)
    found = world.ask["serve_examples"](examples=serving.to_examples(request))
    assert_close(found, expected)


def test_a_known_user_may_send_the_id_alone():
    """And gets what the bundle knows; what is given counts more."""
    world = shop()
    request = serving.replay(world.dataset, ROWS)
    every = np.ones(len(ROWS), bool)
    alone = without_features(world.dataset, request, every)
    assert (alone["city"] == "").all()
    assert np.isnan(alone["age"]).all()
    expected = world.ask["serving_default"](**request)
    assert_close(world.ask["serving_default"](**alone), expected)
    # Each part on its own: a list that is given, and no age.
    other = {**alone, "likes": np.full([len(ROWS), 1], "y", object)}
    other["likes_weights"] = np.ones([len(ROWS), 1], np.float32)
    both = {**request, **{k: other[k] for k in ("likes", "likes_weights")}}
    found = world.ask["serving_default"](**other)
    assert_close(found, world.ask["serving_default"](**both))
    assert abs(found["logits"] - expected["logits"]).max() > 1e-4


def test_a_new_user_comes_with_features():
    """As the ranker scores the user with the unknown id."""
    world = shop()
    found, row = world.dataset, 3
    request = serving.replay(found, np.array([row]))
    request["user_id"] = np.array(["nobody"], object)
    inputs, *_ = next(iter(found.select([row]).batches(1)))
    inputs["user_id"] = 0 * inputs["user_id"]
    expected = world.ranker(inputs, training=False)["clicked"].numpy()
    answer = world.ask["serving_default"](**request)["logits"]
    np.testing.assert_allclose(answer, expected + np.log(KEPT), rtol=1e-5)
    # Without features, an unknown user is row 0.
    for name, column in found.users.items():
        inputs[name] = tf.constant(column[:1])
    expected = world.ranker(inputs, training=False)["clicked"].numpy()
    alone = without_features(found, request, np.ones(1, bool))
    answer = world.ask["serving_default"](**alone)["logits"]
    np.testing.assert_allclose(answer, expected + np.log(KEPT), rtol=1e-5)


def test_what_a_client_does_not_know_has_one_answer():
    """Position, bid, device and hour as docs/serving.md says to send them.

    They are scored as values are that training drops: see
    `test_dropping_teaches_what_is_missing`.
    """
    world, found = shop(), shop().dataset
    request = serving.replay(found, ROWS)
    names = [
        name
        for entity in ("candidate", "context")
        for feature in found.schema.of(entity)
        for name in feature.tensors
        if name in request
    ]
    assert {"position", "bid", "device", "hour"} <= set(names)
    empty = {"O": "", "f": np.nan}
    unknown = {
        name: np.full_like(request[name], empty[request[name].dtype.kind])
        for name in names
    }
    answer = world.ask["serving_default"](**{**request, **unknown})
    for name, values in answer.items():
        assert np.isfinite(values).all(), name
    known = world.ask["serving_default"](**request)
    assert abs(answer["logits"] - known["logits"]).max() > 1e-3

    inputs, *_ = next(iter(found.select(ROWS).batches(len(ROWS))))
    nothing = missing_like(dict(found.impressions.columns))
    for name, value in nothing.items():
        inputs[name] = tf.constant(np.repeat(value, len(ROWS), axis=0))
    expected = world.ranker(inputs, training=False)["clicked"].numpy()
    np.testing.assert_allclose(
        answer["logits"], expected + np.log(KEPT), rtol=1e-5, atol=1e-5
    )
    # An example that lacks them is answered alike.
    rest = {k: v for k, v in request.items() if k not in unknown}
    lacking = serving.to_examples(rest)
    assert_close(world.ask["serve_examples"](examples=lacking), answer)


def test_of_a_longer_history_the_newest_features_are_read():
    world = shop()
    row = int(world.dataset.impressions.history_lengths.argmax())
    request = serving.replay(world.dataset, np.array([row]))
    assert request["history_length"].tolist() == [4]
    expected = world.ask["serving_default"](**request)
    longer = {
        k: np.concatenate([v[:, 1:3], v], axis=1)
        if k.startswith("history_") and v.ndim > 1
        else v
        for k, v in request.items()
    }
    longer["history_length"] = np.array([6], np.int32)
    assert_close(world.ask["serving_default"](**longer), expected)
    examples = serving.to_examples(longer)
    assert_close(world.ask["serve_examples"](examples=examples), expected)


def test_recommend_knows_nothing_of_candidates():
    """The order of a slate whose candidates have no features."""
    world = shop()
    found = world.dataset
    user = serving.request_for_user(found, found.user_ids[2])
    ids = found.catalogue.ad_ids
    nothing = {
        "candidate_ads": ids[None],
        "bid": np.full([1, len(ids)], np.nan),
        "position": np.full([1, len(ids)], "", object),
    }
    scored = world.ask["score_slate"](**user, **nothing)
    choice = {
        "exclude_ads": ids[None, :0],
        "exclude_history": [False],
        "k": [len(ids)],
    }
    best = world.ask["recommend"](**user, **choice)
    order = np.argsort(-scored["logits"][0])
    assert [v.decode() for v in best["ad_ids"][0]] == list(ids[order])
    for name, values in scored.items():
        np.testing.assert_allclose(
            best[name][0], values[0, order], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("signature", ["score_slate", "recommend_from"])
def test_one_value_is_not_meant_for_all_candidates(signature):
    world = shop()
    found = world.dataset
    request = {
        **serving.request_for_user(found, found.user_ids[2]),
        "candidate_ads": found.catalogue.ad_ids[None, 2:6],
        "bid": np.array([[0.5]]),
        "position": np.array([["0", "1", "2", "0"]], object),
    }
    if signature == "recommend_from":
        request |= {
            "bids": np.ones([1, 4], np.float32),
            "exclude_ads": found.catalogue.ad_ids[None, :0],
            "exclude_history": [False],
            "k": [5],
        }
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        world.ask[signature](**request)
    # As the preview tells it.
    assert _reason(error.value.message) == (
        "`bid` must have a value for each candidate, [1 4]. Received: [1 1]."
    )


def test_recommend_from_reads_the_candidates_own_features():
    """Of an ad that comes twice, the place of more worth is answered."""
    world = shop()
    found = world.dataset
    user = serving.request_for_user(found, found.user_ids[2])
    ids = found.catalogue.ad_ids[[4, 1, 4, 7]]
    slate = {
        "candidate_ads": ids[None],
        "bid": np.array([[0.1, 0.4, 0.9, np.nan]]),
        "position": np.array([["0", "1", "2", "0"]], object),
    }
    bids = np.array([[1.0, 2.0, 1.5, 0.5]], np.float32)
    scored = world.ask["score_slate"](**user, **slate)
    worth = (scored["score"] * bids)[0]
    # Of places 0 and 2, the same ad, the lower one is left out.
    lower = 0 if worth[0] < worth[2] else 2
    places = [int(p) for p in np.argsort(-worth) if p != lower]
    best = world.ask["recommend_from"](
        **user,
        **slate,
        bids=bids,
        exclude_ads=ids[None, :0],
        exclude_history=[False],
        k=[5],
    )
    assert [v.decode() for v in best["ad_ids"][0]] == [*ids[places], "", ""]
    for name, values in scored.items():
        np.testing.assert_allclose(
            best[name][0, :3], values[0, places], rtol=1e-5
        )
        rest = -np.inf if name == "logits" else 0
        assert (best[name][0, 3:] == rest).all()


def test_new_ads_have_the_features_that_others_read():
    """A cross, an overlap and a lookup of an ad that the request brings."""
    world = shop()
    found, ads = world.dataset, world.dataset.impressions.ads[ROWS]
    request = as_slates(found.schema, serving.replay(found, ROWS))
    new = new_ads(found, world.reader, ads[:, None])
    answer = world.ask["score_new_ads"](
        **{**request, **new, "candidate_ads": new["new_ads"]}
    )["logits"][:, 0]
    tower = world.ranker.ad_tower
    [table] = [v for v in tower.variables if "embedding_and_bias" in v.name]
    inputs, *_ = next(iter(found.select(ROWS).batches(len(ROWS))))
    history = tower(inputs["history_ads"])
    kept = table.numpy()
    table.assign(np.repeat(kept[:1], len(kept), axis=0))
    slate = tower(inputs["candidate_ads"][:, None])
    table.assign(kept)
    for name in ("bid", "position"):
        inputs[name] = inputs[name][:, None]
    expected = world.ranker.rank(inputs, history, slate)["clicked"][:, 0]
    np.testing.assert_allclose(
        answer, expected.numpy() + np.log(KEPT), rtol=1e-5, atol=1e-5
    )


def test_inputs_have_the_names_of_tensors():
    """Legal ones, and each axis as the docs say."""
    world = shop()
    specs = world.signatures["score_slate"].structured_input_signature[1]
    found = {k: (s.dtype, s.shape.as_list()) for k, s in specs.items()}
    expected = {
        "age": (tf.float64, [None]),
        "likes": (tf.string, [None, None]),
        "likes_weights": (tf.float32, [None, None]),
        "by_brand_keys": (tf.string, [None, None]),
        "by_brand_values": (tf.float64, [None, None]),
        "face": (tf.float32, [None, 2]),
        "k_2": (tf.string, [None]),
        "Groe_groe": (tf.float64, [None]),
        "bid": (tf.float64, [None, None]),
        "position": (tf.string, [None, None]),
        "history_words": (tf.string, [None, None, None]),
        "history_pixel": (tf.float32, [None, None, 2]),
    }
    assert {k: found.get(k) for k in expected} == expected
    # What is derived has no input.
    assert not any("taste" in k or "history_x" in k for k in found)
    one = world.signatures["serving_default"].structured_input_signature[1]
    assert one["bid"].shape.as_list() == [None]


def test_a_user_without_impressions_and_one_who_is_unknown():
    world = shop()
    request = serving.request_for_user(world.dataset, "nobody")
    assert request["city"].tolist() == request["device"].tolist() == [""]
    assert np.isnan(request["age"])
    assert np.isnan(request["hour"])
    known = serving.request_for_user(world.dataset, "u3")
    assert known["age"].tolist() == pytest.approx([23])
    assert known["face"].tolist() == [[3.0, -1.0]]
    assert without_candidates(world.dataset.schema, request) == request


@pytest.mark.parametrize(
    "policy",
    ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)],
)
def test_half_precision_is_served(policy):
    """Near the ranker, whose own numbers depend on the size of the batch."""
    found = dataset()
    with precision(policy):
        ranker = ranker_of(found)
        service = serving.RankingService(ranker, found)
        signatures = service.signatures("serving_default")
        ask = serving.answers(service, signatures)["serving_default"]
        answer = ask(**serving.replay(found, ROWS))
    outputs = trained(found, ranker)["clicked"]
    assert np.ptp(outputs) > 0.5
    np.testing.assert_allclose(answer["logits"], outputs, atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    "policy",
    [
        "float32",
        pytest.param("mixed_bfloat16", marks=pytest.mark.slow),
        pytest.param("mixed_float16", marks=pytest.mark.slow),
    ],
)
def test_a_bundle_with_every_feature(policy, tmp_path):
    """Its parity is of users with and without features of their own."""
    world = shop(policy)
    path, (answered, _) = (
        worlds.exported("shop", replayed=True)
        if policy == "float32"
        else worlds.export(world, tmp_path / "shop")
    )
    report = json.loads((path / "1/parity.json").read_text())
    assert report["bound"] == (1e-5 if policy == "float32" else 0.02)
    assert report["ops_outside_core"] == {}
    every = np.arange(len(world.dataset))
    assert report["rows"] == len(every)
    expected = trained(world.dataset, world.ranker, every)["clicked"]
    for api in ("object", "session"):
        found = answered["serving_default", api, "plain"]["logits"]
        np.testing.assert_allclose(
            found, expected, atol=report["bound"], rtol=report["bound"]
        )


def test_a_schema_of_another_run_is_refused():
    world = shop()
    features = [f for f in world.dataset.schema.features if f.name != "price"]
    schema = dataclasses.replace(world.dataset.schema, features=tuple(features))
    other = dataclasses.replace(world.dataset, schema=schema)
    with pytest.raises(InputError, match="no feature price of ads"):
        serving.RankingService(world.ranker, other)
