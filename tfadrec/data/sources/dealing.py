"""Ads dealt to requests like cards, so that no request holds one twice."""

import numpy as np

#: Swaps are tried so often. After 100 rounds a year of a shop's purchases has
#: places left only where a request holds nearly every ad of its period.
_ROUNDS = 100


def decks(
    periods: np.ndarray,
    ads: np.ndarray,
    *,
    negatives_per_positive: int,
    kinds: tuple[np.ndarray, np.ndarray] | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """The ads to deal in each period, as many as it has places.

    Args:
      periods: int64 [n], the period of each purchase, from 0 on, sorted.
      ads: int64 [n], the ad of each purchase, from 0 on.
      negatives_per_positive: k >= 1.
      kinds: None holds each ad k times for each of its purchases in the period.
        Else the ads of each period, int64 [m] twice, the period and the ad,
        which are held equally often, some of them once more than others; pairs
        may repeat.
      rng: decides the order.

    Returns:
      int64 [n * k], period by period, in random order within one.
    """
    places = np.repeat(periods, negatives_per_positive)
    if kinds is not None:
        of_kinds, ads = kinds
        span = int(ads.max(initial=0)) + 1
        pairs = np.unique(of_kinds * span + ads)
        ads = pairs[_shuffled(pairs // span, rng)] % span
        num_kinds = np.bincount(pairs // span)
        first_kind = np.cumsum(num_kinds) - num_kinds
        num_places = np.bincount(places)
        first_place = np.cumsum(num_places) - num_places
        turn = np.arange(len(places)) - first_place[places]
        cards = ads[first_kind[places] + turn % num_kinds[places]]
    else:
        cards = np.repeat(ads, negatives_per_positive)
    return cards[_shuffled(places, rng)]


def deal(
    cards: np.ndarray,
    *,
    requests: np.ndarray,
    periods: np.ndarray,
    bought: np.ndarray,
    num_ads: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Swaps cards within their periods until every request's ads are distinct.

    Args:
      cards: int64 [m], the ad that lies at each place, in random order.
      requests: int64 [m], the request of each place.
      periods: int64 [m], the period of each place, from 0 on, sorted.
      bought: int64 [n], `request * num_ads + ad` of what was bought, distinct.
      num_ads: the ads are below this number.
      rng: of the swaps.

    Returns:
      The cards, int64 [m], and the places that could not be filled: their cards
      were bought in their request, or lie there twice.
    """
    cards = cards.copy()
    # What was bought comes before an equal card, so the card is the one to go.
    keys = np.concatenate([2 * bought, 2 * (requests * num_ads + cards) + 1])
    order = np.argsort(keys)
    taken = keys[order] >> 1
    again = np.flatnonzero(taken[1:] == taken[:-1]) + 1
    places = order[again] - len(bought)
    sizes = np.bincount(periods)
    starts = np.cumsum(sizes) - sizes
    added = np.zeros(0, np.int64)
    for _ in range(_ROUNDS):
        if not len(places):
            break
        period = periods[places]
        others = starts[period] + rng.integers(0, sizes[period])
        here = requests[places] * num_ads + cards[others]
        there = requests[others] * num_ads + cards[places]
        here_fits = ~(_is_in(here, taken) | _is_in(here, added))
        there_fits = ~(_is_in(there, taken) | _is_in(there, added))
        # A place without a fitting card may be given another such card.
        open_too = np.isin(others, places)
        good = here_fits & (there_fits | open_too)
        good[good] = _apart(places[good], others[good])
        good[good] = _apart(here[good], there[good])
        # A pair that a swap breaks up stays among the taken ones, which only
        # keeps it from coming back.
        added = np.sort(
            np.concatenate([added, here[good], there[good & there_fits]])
        )
        mine, other = places[good], others[good]
        cards[mine], cards[other] = cards[other], cards[mine]
        filled = np.concatenate([mine, others[good & there_fits]])
        places = places[~np.isin(places, filled)]
    return cards, places


def _shuffled(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order of rows that is random within each group; groups are sorted."""
    return np.argsort(groups + rng.random(len(groups)))


def _apart(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Bool [n], for pairs whose values did not occur in a pair before."""
    values = np.stack([left, right], axis=1).ravel()
    first = np.zeros(len(values), bool)
    first[np.unique(values, return_index=True)[1]] = True
    left_first, right_first = first[0::2], first[1::2]
    return left_first & right_first


def _is_in(values: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Bool [n], whether each value is among the sorted members."""
    if not len(members):
        return np.zeros(len(values), bool)
    at = np.minimum(np.searchsorted(members, values), len(members) - 1)
    return np.equal(members[at], values)
