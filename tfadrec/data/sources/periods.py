"""Calendar periods of a log, in which purchases are compared."""

import numpy as np

#: From the shortest to the longest; `all` is the whole log.
PERIODS = ("day", "week", "month", "year", "all")
#: `auto` takes the shortest period with this share of the room that the whole
#: log has. Negatives that are left out harm less than periods that are long.
_ROOM = 0.9
_DAY = 24 * 60 * 60
#: 1970-01-01 was a Thursday, and weeks start on Mondays.
_DAYS_SINCE_MONDAY = 3


def periods_of(times: np.ndarray, period: str) -> np.ndarray:
    """The number of the period in which each time lies, from 0 on.

    Args:
      times: int64 [n], UTC seconds.
      period: one of `PERIODS`; days and all that is made of them are UTC.

    Returns:
      int64 [n]; periods without a time have no number.
    """
    days = times // _DAY
    if period == "all":
        numbers = np.zeros(len(times), np.int64)
    elif period == "day":
        numbers = days
    elif period == "week":
        numbers = (days + _DAYS_SINCE_MONDAY) // 7
    else:
        unit = {"month": "datetime64[M]", "year": "datetime64[Y]"}[period]
        numbers = days.astype("datetime64[D]").astype(unit).astype(np.int64)
    if not len(numbers):
        return numbers
    first, last = int(numbers.min()), int(numbers.max())
    if last - first > len(numbers):
        return np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    used = np.bincount(numbers - first) > 0
    return (np.cumsum(used) - 1)[numbers - first]


def shortest_period(
    times: np.ndarray,
    requests: np.ndarray,
    ads: np.ndarray,
    *,
    negatives_per_positive: int,
    every_ad_alike: bool,
) -> str:
    """The shortest of `PERIODS` that has enough room for the negatives.

    Enough is nine tenths of the room that the whole log has, see
    `share_with_room`.

    Args:
      times: int64 [n], UTC seconds of each purchase.
      requests: int64 [n], its request, from 0 on.
      ads: int64 [n], its ad, from 0 on.
      negatives_per_positive: as for `share_with_room`.
      every_ad_alike: as for `share_with_room`.
    """

    def room(period):
        return share_with_room(
            periods_of(times, period),
            requests,
            ads,
            negatives_per_positive=negatives_per_positive,
            every_ad_alike=every_ad_alike,
        )

    enough = _ROOM * room("all")
    return next(p for p in PERIODS if p == "all" or room(p) >= enough)


def share_with_room(
    periods: np.ndarray,
    requests: np.ndarray,
    ads: np.ndarray,
    *,
    negatives_per_positive: int,
    every_ad_alike: bool,
) -> float:
    """The share of the negatives for which periods have room, at most.

    A request of s purchases has room for the other ads of its period. Where an
    ad is to be drawn c times, there is room for it in the requests of the
    period that did not buy it.

    Args:
      periods: int64 [n], the period of each purchase, from 0 on.
      requests: int64 [n], the request of each purchase, from 0 on.
      ads: int64 [n], the ad of each purchase, from 0 on.
      negatives_per_positive: >= 1.
      every_ad_alike: whether the ads of a period are drawn equally often, and
        not in proportion to their purchases.

    Returns:
      A number in [0, 1], 1 for no purchases.
    """
    if not len(periods):
        return 1.0
    places = negatives_per_positive * np.bincount(periods)
    request_periods, sizes = _pairs(periods, requests)
    ad_periods, buyers = _pairs(periods, ads)
    num_requests = np.bincount(request_periods)
    num_ads = np.bincount(ad_periods)
    in_requests = np.minimum(
        negatives_per_positive * sizes, num_ads[request_periods] - sizes
    )
    cards = negatives_per_positive * buyers
    if every_ad_alike:
        cards = places[ad_periods] / num_ads[ad_periods]
    of_ads = np.minimum(cards, num_requests[ad_periods] - buyers)
    room = np.minimum(
        np.bincount(request_periods, in_requests.clip(min=0)),
        np.bincount(ad_periods, of_ads.clip(min=0)),
    )
    return float(room.sum() / places.sum())


def _pairs(periods: np.ndarray, values: np.ndarray):
    """The period of each pair of period and value, and how often it occurs."""
    span = int(values.max()) + 1
    keys, counts = np.unique(periods * span + values, return_counts=True)
    return keys // span, counts
