"""Requests made from a dataset, and recommendations as a list."""

import dataclasses

import numpy as np
import pytest

from tests.serving import worlds
from tfadrec import serving
from tfadrec.core.errors import InputError
from tfadrec.data.event_log import EventLog


def test_a_replayed_row_holds_what_stands_in_the_files():
    """Numbers come back in their own units, a missing one as nan."""
    dataset = worlds.numbers().dataset
    request = serving.replay(dataset, np.arange(len(dataset)))
    impressions = dataset.impressions
    ids = dataset.catalogue.ad_ids
    np.testing.assert_array_equal(
        request["candidate_ads"], ids[impressions.ads - 1]
    )
    assert request["candidate_ads"].dtype == np.int64
    scroll = next(f for f in dataset.schema.features if f.name == "scroll")
    # Three decimals were written; float32 keeps seven digits of the deviation.
    lost = np.abs(request["scroll"] - np.round(request["scroll"], 3))
    known = np.delete(np.arange(len(dataset)), [3, 7])
    assert lost[known].max() < 1e-4
    assert np.isnan(request["scroll"][[3, 7]]).all()
    assert scroll.std > 1
    lengths = np.minimum(impressions.history_lengths, 6)
    np.testing.assert_array_equal(request["history_length"], lengths)
    # The newest event stands last, and is older than the request.
    row = int(lengths.argmax())
    newest = impressions.history_ends[row] - 1
    age = impressions.times[row] - dataset.events.times[newest]
    assert request["history_ages"][row, 5] == age > 0
    assert request["history_ads"][row, 5] == ids[dataset.events.ads[newest] - 1]


def test_a_known_user(world):
    """The whole log of the user, as of one second after its end."""
    dataset = world.dataset
    log = dataset.events
    row = int(log.users[-1])
    own = np.flatnonzero(log.users == row)
    assert len(own) > dataset.history_length  # the whole history is sent
    request = serving.request_for_user(dataset, dataset.user_ids[row - 1])
    assert request["user_id"].tolist() == [dataset.user_ids[row - 1]]
    assert request["history_length"].tolist() == [len(own)]
    ids = dataset.catalogue.ad_ids
    assert (request["history_ads"][0] == ids[log.ads[own] - 1]).all()
    now = max(log.times.max(), dataset.impressions.times.max()) + 1
    assert (request["history_ages"][0] == now - log.times[own]).all()
    answer = world.recommend(
        **request,
        exclude_ads=np.zeros([1, 0], ids.dtype),
        exclude_history=[False],
        k=[1],
    )
    assert answer["ad_ids"].shape == (1, 1)


def test_an_id_may_come_as_text():
    dataset = worlds.numbers().dataset
    user = int(dataset.user_ids[4])
    by_text = serving.request_for_user(dataset, str(user))
    by_number = serving.request_for_user(dataset, user)
    for name, values in by_number.items():
        np.testing.assert_array_equal(by_text[name], values)
    assert by_text["user_id"].dtype == np.int64
    assert by_text["history_length"] > 0


def test_an_unknown_user_has_no_history_and_no_context(world):
    unknown = "?" if world.dataset.schema.user_id_type == "string" else -7
    request = serving.request_for_user(world.dataset, unknown)
    assert request["user_id"].tolist() == [unknown]
    assert request["history_ads"].shape == (1, 0)
    for feature in world.dataset.schema.of("context"):
        value = request[feature.tensor][0]
        if feature.kind == "number":
            assert np.isnan(value)
        else:
            assert value == ""
    found = serving.recommend(world.recommend, world.dataset, unknown, k=2)
    assert [ad["rank"] for ad in found] == [1, 2]


@pytest.mark.parametrize("user", ["42x", "", "4_2", "9" * 30, 2**63])
def test_no_number(user):
    with pytest.raises(InputError, match="64-bit integers"):
        serving.request_for_user(worlds.numbers().dataset, user)


def test_an_age_beyond_68_years_is_cut_as_in_training():
    dataset = worlds.numbers().dataset
    log = dataset.events
    old = EventLog(log.users, log.ads, log.types, log.times - 3 * 10**9)
    dataset = dataclasses.replace(dataset, events=old)
    row = int(dataset.impressions.history_lengths.argmax())
    ages = serving.replay(dataset, [row])["history_ages"]
    assert (ages == 2**31 - 1).all()
    inputs, _ = next(iter(dataset.select([row]).batches(1)))
    np.testing.assert_array_equal(inputs["history_ages"], ages)


def test_a_list_for_people(world):
    dataset = world.dataset
    user = dataset.user_ids[2]
    found = serving.recommend(world.recommend, dataset, user, k=4, seen=True)
    assert [ad["rank"] for ad in found] == [1, 2, 3, 4]
    probs = [ad["pctr"] for ad in found]
    slate = serving.with_candidates(
        dataset,
        serving.request_for_user(dataset, user),
        np.array([[ad["ad_id"] for ad in found]]),
    )
    scored = world.ask["score_slate"](**slate)
    np.testing.assert_allclose(scored["pctr"][0], probs, atol=1e-6)
    # Where conversions are learned, ads are ordered by them.
    worth = scored.get("pctcvr", scored["pctr"])[0].tolist()
    assert worth == sorted(worth, reverse=True)
    assert 0 < min(probs) <= max(probs) < 1
    ids = list(dataset.catalogue.ad_ids)
    for ad in found:
        place = ids.index(ad["ad_id"])
        assert ad["title"] == dataset.catalogue.titles[place]
        assert ad["tags"] == ", ".join(dataset.catalogue.tags[place])
    first = found[0]["ad_id"]
    # As text, the way a command line gives it.
    rest = serving.recommend(
        world.recommend, dataset, user, k=3, seen=True, exclude=[str(first)]
    )
    assert [ad["ad_id"] for ad in rest] == [ad["ad_id"] for ad in found[1:]]


def test_seen_ads_are_left_out_unless_wanted(world):
    dataset = world.dataset
    user = dataset.user_ids[int(dataset.events.users[-1]) - 1]
    past = serving.request_for_user(dataset, user)["history_ads"][0]
    # Also what is too old for the ranker to read is left out.
    seen = set(past)
    assert seen > set(past[-dataset.history_length :])
    total = len(dataset.catalogue)

    def ids(**arguments):
        ads = serving.recommend(
            world.recommend, dataset, user, k=total, **arguments
        )
        return {ad["ad_id"] for ad in ads}

    assert ids(seen=True) == set(dataset.catalogue.ad_ids)
    assert ids() == set(dataset.catalogue.ad_ids) - seen


@pytest.mark.parametrize("k", [0, -1, 2**31, 10**30])
def test_bad_k(world, k):
    with pytest.raises(
        InputError, match=f"`k` must be >= 1 and .*Received: k={k}"
    ):
        serving.recommend(world.recommend, world.dataset, 1, k=k)


@pytest.mark.parametrize("ad", ["x", "1_0", "9" * 30])
def test_bad_exclusions(ad):
    world = worlds.numbers()
    with pytest.raises(InputError, match="64-bit integers"):
        serving.recommend(world.recommend, world.dataset, 1, exclude=[ad])
