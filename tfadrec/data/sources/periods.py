"""Calendar periods of a log, in which purchases are compared."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa

from tfadrec.data.features.value_counts import value_counts

#: From the shortest to the longest; `all` is the whole log.
PERIODS = ("day", "week", "month", "year", "all")
#: `auto` takes the shortest period with this share of the room that the whole
#: log has. Negatives that are left out harm less than periods that are long.
_ROOM = 0.9
_DAY = 24 * 60 * 60
#: 1970-01-01 was a Thursday, and weeks start on Mondays.
_DAYS_SINCE_MONDAY = 3
#: No request and no ad has so many purchases.
_MOST = 1 << 32

#: Two arrays [n] for each of several pieces.
Pieces = Iterable[Sequence[np.ndarray]]
#: int64 [m] three times: a period, a size, and how many there have this size.
Sizes = tuple[np.ndarray, np.ndarray, np.ndarray]


def calendar(times: np.ndarray, period: str) -> np.ndarray:
    """The number of the period in which each time lies.

    Args:
      times: int64 [n], UTC seconds.
      period: one of `PERIODS`; days and all that is made of them are UTC.

    Returns:
      int64 [n], which ascend with the times.
    """
    days = times // _DAY
    if period == "all":
        return np.zeros(len(times), np.int64)
    if period == "day":
        return days
    if period == "week":
        return (days + _DAYS_SINCE_MONDAY) // 7
    unit = {"month": "datetime64[M]", "year": "datetime64[Y]"}[period]
    return days.astype("datetime64[D]").astype(unit).astype(np.int64)


def shortest_period(
    by_request: Callable[[], Pieces],
    by_ad: Callable[[], Pieces],
    *,
    negatives_per_positive: int,
    every_ad_alike: bool,
) -> str:
    """The shortest of `PERIODS` that has enough room for the negatives.

    Enough is nine tenths of the room that the whole log has, see
    `share_with_room`.

    Args:
      by_request: gives the time and the request of each purchase, int64 [n]
        twice, in pieces that hold requests whole.
      by_ad: gives the time and the ad of each, in pieces that hold ads whole.
      negatives_per_positive: as for `share_with_room`.
      every_ad_alike: as for `share_with_room`.
    """

    def room(period: str) -> float:
        requests, ads = (
            sizes_of((calendar(times, period), ids) for times, ids in read())
            for read in (by_request, by_ad)
        )
        return share_with_room(
            requests,
            ads,
            negatives_per_positive=negatives_per_positive,
            every_ad_alike=every_ad_alike,
        )

    enough = _ROOM * room("all")
    return next(p for p in PERIODS if p == "all" or room(p) >= enough)


def sizes_of(pieces: Pieces) -> Sizes:
    """How many purchases the requests, or the ads, of each period have.

    Args:
      pieces: int64 [n] twice, the period of each purchase, and its request or
        ad, from 0 on; those of one request or ad stand in one piece.
    """

    def keys() -> Iterable[pa.Array]:
        for periods, ids in pieces:
            span = int(ids.max(initial=0)) + 1
            pairs, sizes = np.unique(periods * span + ids, return_counts=True)
            yield pa.array(pairs // span * _MOST + sizes)

    found, counts = value_counts(keys())
    periods, sizes = np.divmod(found.to_numpy().astype(np.int64), _MOST)
    return periods, sizes, counts.to_numpy()


def share_with_room(
    requests: Sizes,
    ads: Sizes,
    *,
    negatives_per_positive: int,
    every_ad_alike: bool,
) -> float:
    """The share of the negatives for which periods have room, at most.

    A request of s purchases has room for the other ads of its period. Where an
    ad is to be drawn c times, there is room for it in the requests of the
    period that did not buy it.

    Args:
      requests: how many of each period have so many purchases, see `sizes_of`.
      ads: the same of ads.
      negatives_per_positive: >= 1.
      every_ad_alike: whether the ads of a period are drawn equally often, and
        not in proportion to their purchases.

    Returns:
      A number in [0, 1], 1 for no purchases.
    """
    if not len(requests[0]):
        return 1.0
    known = np.unique(requests[0])
    of_request, of_ad = (np.searchsorted(known, p) for p, *_ in (requests, ads))
    (_, sizes, same), (_, buyers, alike) = requests, ads
    num_requests = np.bincount(of_request, same)
    num_ads = np.bincount(of_ad, alike)
    places = negatives_per_positive * np.bincount(of_request, same * sizes)
    in_requests = np.minimum(
        negatives_per_positive * sizes, num_ads[of_request] - sizes
    )
    cards = negatives_per_positive * buyers
    if every_ad_alike:
        cards = places[of_ad] / num_ads[of_ad]
    of_ads = np.minimum(cards, num_requests[of_ad] - buyers)
    room = np.minimum(
        np.bincount(of_request, same * in_requests.clip(min=0)),
        np.bincount(of_ad, alike * of_ads.clip(min=0)),
    )
    return float(room.sum() / places.sum())
