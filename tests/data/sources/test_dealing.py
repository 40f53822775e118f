import numpy as np
import pytest

from tfadrec.data.sources.dealing import deal, decks

PERIODS = np.array([0, 0, 0, 1, 1])
ADS = np.array([7, 7, 3, 7, 5])


def deck(every_ad_alike, seed=0, number=2):
    return decks(
        PERIODS,
        ADS,
        negatives_per_positive=number,
        kinds=(PERIODS, ADS) if every_ad_alike else None,
        rng=np.random.default_rng(seed),
    ).tolist()


def test_a_deck_in_proportion_to_purchases():
    cards = deck(False)
    assert sorted(cards[:6]) == [3, 3, 7, 7, 7, 7]
    assert sorted(cards[6:]) == [5, 5, 7, 7]


def test_a_deck_of_every_ad_alike():
    cards = deck(True)
    assert sorted(cards[:6]) == [3, 3, 3, 7, 7, 7]
    assert sorted(cards[6:]) == [5, 5, 7, 7]
    # Three places of two ads: either is there once more, by chance.
    more = {tuple(sorted(deck(True, seed, 1)[:3])) for seed in range(20)}
    assert more == {(3, 3, 7), (3, 7, 7)}


def test_the_order_of_a_deck_is_random():
    decks_seen = {tuple(deck(False, seed)[:6]) for seed in range(300)}
    # 6! / (2! 4!) orders.
    assert len(decks_seen) == 15


@pytest.mark.parametrize("seed", range(5))
def test_all_places_are_filled_where_there_is_room(seed):
    rng = np.random.default_rng(seed)
    requests = np.repeat(np.arange(300), 3)
    periods = requests // 100
    ads = np.concatenate([rng.permutation(60)[:3] for _ in range(300)])
    places = np.repeat(requests, 4)
    cards = rng.permuted(np.repeat(ads, 4).reshape(3, -1), axis=1).ravel()
    bought = requests * 60 + ads
    dealt, empty = deal(
        cards,
        requests=places,
        periods=places // 100,
        bought=bought,
        num_ads=60,
        rng=rng,
    )
    assert not len(empty)
    keys = np.concatenate([bought, places * 60 + dealt])
    assert len(np.unique(keys)) == len(keys)
    for period in range(3):
        here = places // 100 == period
        np.testing.assert_array_equal(
            np.sort(dealt[here]), np.sort(cards[here])
        )
    assert len(periods) == 900


def test_places_without_a_card_that_fits():
    # Request 0 bought ad 0, request 1 bought ad 1. Of two cards for ad 0 only
    # one fits into request 1, and none into request 0.
    dealt, empty = deal(
        np.array([0, 0]),
        requests=np.array([0, 1]),
        periods=np.array([0, 0]),
        bought=np.array([0, 3]),
        num_ads=2,
        rng=np.random.default_rng(0),
    )
    assert empty.tolist() == [0]
    assert dealt[1] == 0


def test_two_places_that_do_not_fit_may_help_each_other():
    # Each request was dealt what it bought.
    dealt, empty = deal(
        np.array([0, 1]),
        requests=np.array([0, 1]),
        periods=np.array([0, 0]),
        bought=np.array([0, 3]),
        num_ads=2,
        rng=np.random.default_rng(0),
    )
    assert (dealt.tolist(), len(empty)) == ([1, 0], 0)


def test_a_place_without_a_card_may_take_another_one_that_does_not_fit():
    # Request 1 bought both ads, so that only request 0 can be filled.
    dealt, empty = deal(
        np.array([0, 1]),
        requests=np.array([0, 1]),
        periods=np.array([0, 0]),
        bought=np.array([0, 2, 3]),
        num_ads=2,
        rng=np.random.default_rng(0),
    )
    assert (dealt.tolist(), empty.tolist()) == ([1, 0], [1])


def test_cards_stay_in_their_periods():
    # The swap that would help lies in another period.
    _, empty = deal(
        np.array([0, 1]),
        requests=np.array([0, 1]),
        periods=np.array([0, 1]),
        bought=np.array([0, 3]),
        num_ads=2,
        rng=np.random.default_rng(0),
    )
    assert sorted(empty) == [0, 1]
