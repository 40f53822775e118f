"""A log of users who click ads of one taste, which the ads' copy tells.

Every fifth ad is new: it has no event, and no click before the test rows.
"""

import numpy as np

from tfadrec import data
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema

TASTES, ADS, USERS, EVENTS, CLICKS = 4, 60, 80, 5, 6


def dataset():
    """All rows; the last of each user is a click on a new ad."""
    random = np.random.default_rng(0)
    taste_of_ad = np.arange(ADS) % TASTES
    is_new = np.arange(ADS) // TASTES % 5 == 0
    copy = np.eye(TASTES)[taste_of_ad] + random.normal(0, 0.1, (ADS, TASTES))
    features = (Feature("copy", "ad", "vector", "copy", "copy", width=TASTES),)
    schema = Schema("tastes", "int64", "int64", ("click",), features=features)
    catalogue = data.Catalogue(
        ad_ids=np.arange(100, 100 + ADS),
        titles=[""] * ADS,
        descriptions=[""] * ADS,
        tags=[()] * ADS,
        features=features,
        columns={"copy": copy.astype(np.float32)},
    )

    def ads(user, count, new):
        fit = (taste_of_ad == user % TASTES) & (is_new == new)
        return 1 + random.choice(np.flatnonzero(fit), count)

    users = np.arange(USERS)
    history = np.concatenate([ads(user, EVENTS, False) for user in users])
    shown = np.concatenate(
        [
            np.concatenate([ads(user, CLICKS - 1, False), ads(user, 1, True)])
            for user in users
        ]
    )
    starts = np.repeat(users * EVENTS, CLICKS)
    clicked = np.ones(len(shown), np.float32)
    clicked[:: CLICKS * 2] = 0
    return data.Dataset(
        schema=schema,
        catalogue=catalogue,
        user_ids=users,
        users={},
        events=data.EventLog(
            users=np.repeat(users + 1, EVENTS).astype(np.int32),
            ads=history.astype(np.int32),
            types=np.ones(len(history), np.int32),
            times=np.tile(np.arange(EVENTS), USERS),
        ),
        impressions=data.Impressions(
            requests=np.arange(len(shown)),
            users=np.repeat(users + 1, CLICKS).astype(np.int32),
            ads=shown.astype(np.int32),
            times=np.full(len(shown), EVENTS + 1),
            labels={"clicked": clicked},
            columns={},
            history_starts=starts,
            history_ends=starts + EVENTS,
            splits=None,
        ),
        history_length=EVENTS,
    )


def parts():
    """Training rows, and those of new ads."""
    rows = dataset()
    is_last = np.arange(len(rows)) % CLICKS == CLICKS - 1
    return (
        rows.select(np.flatnonzero(~is_last)),
        rows.select(np.flatnonzero(is_last)),
    )
