"""What came of each impression, as a code."""

import numpy as np

#: Codes of what no event tells; event types follow.
UNCLICKED, CLICKED, FIRST_TYPE = 0, 1, 2


def opinions(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    labels: np.ndarray,
    log: tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray | None],
) -> np.ndarray:
    """Codes of impressions: 1 + the event's type, or whether it was clicked.

    An event is that of an impression where user, ad and time are the same.

    Args:
      rows: users, ads and times, each [n].
      labels: [n], 0 and 1.
      log: users in ascending order, ads, types and times of events, each [m];
        without users or times there are only clicks and others. Of many, those
        of other users cost next to nothing.

    Returns:
      int64 [n].
    """
    codes = np.where(labels > 0, CLICKED, UNCLICKED)
    users, ads, types, times = log
    if users is None or times is None or not len(ads) or not len(codes):
        return codes
    is_asked = np.zeros(max(users[-1], rows[0].max()) + 1, bool)
    is_asked[rows[0]] = True
    events = np.flatnonzero(is_asked[users])
    keys = [
        np.concatenate([of_events[events], of_rows])
        for of_events, of_rows in zip((users, ads, times), rows, strict=True)
    ]
    order = np.lexsort(keys)
    is_other = np.zeros(len(order), bool)
    for key in keys:
        is_other[1:] |= np.diff(key[order]) != 0
    both = np.empty(len(order), np.int64)
    both[order] = np.cumsum(is_other)
    types_of = np.zeros(len(order), np.int64)
    types_of[both[: len(events)]] = types[events]
    found = types_of[both[len(events) :]]
    return np.where(found > 0, found + FIRST_TYPE - 1, codes)
