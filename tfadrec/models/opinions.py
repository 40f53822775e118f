"""What came of each impression, as a code."""

import numpy as np

#: Codes of what no event tells; event types follow.
UNCLICKED, CLICKED, FIRST_TYPE = 0, 1, 2


def opinions(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    labels: np.ndarray,
    events: tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray | None],
) -> np.ndarray:
    """Codes of impressions: 1 + the event's type, or whether it was clicked.

    An event is that of an impression where user, ad and time are the same.

    Args:
      rows: users, ads and times, each [n].
      labels: [n], 0 and 1.
      events: users, ads, types and times, each [m]; without users or times
        there are only clicks and others.

    Returns:
      int64 [n].
    """
    codes = np.where(labels > 0, CLICKED, UNCLICKED)
    users, ads, types, times = events
    if users is None or times is None or not len(ads) or not len(codes):
        return codes
    known = np.stack([users, ads, times]).astype(np.int64)
    asked = np.stack([np.asarray(part, np.int64) for part in rows])
    _, both = np.unique(
        np.concatenate([known, asked], axis=1), axis=1, return_inverse=True
    )
    both = both.reshape(-1)
    types_of = np.zeros(both.max() + 1, np.int64)
    types_of[both[: len(ads)]] = types
    found = types_of[both[len(ads) :]]
    return np.where(found > 0, found + FIRST_TYPE - 1, codes)
