"""Datasets of a few rows, for what reads rows and not batches."""

import numpy as np

from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data import Catalogue, Dataset, EventLog, Impressions


def dataset(
    ads,
    clicked,
    *,
    users=None,
    weights=None,
    labels=None,
    times=None,
    events=(),
    starts=None,
    ends=None,
    vectors=None,
    brands=None,
    positions=None,
    num_ads=4,
):
    """Rows of ads 1 to `num_ads`; what is left out is the same everywhere."""
    n = len(ads)
    zeros = np.zeros(n, np.int64)
    features, columns, of_ads = [], {}, {}
    if brands is not None:
        features.append(
            Feature("brand", "ad", "category", vocabulary=("x", "y"))
        )
        of_ads["brand"] = np.asarray(brands, np.int32)
    if positions is not None:
        features.append(
            Feature("place", "candidate", "number", bounds=(1.5, 2.5))
        )
        columns["place"] = np.asarray(positions, np.int32)
    schema = Schema(
        source="rows",
        user_id_type="int64",
        ad_id_type="int64",
        event_types=("view",),
        labels=("clicked", *(labels or {})),
        features=tuple(features),
    )
    catalogue = Catalogue(
        ad_ids=np.arange(1, num_ads + 1),
        titles=[""] * num_ads,
        descriptions=[""] * num_ads,
        tags=[[]] * num_ads,
        features=schema.of("ad"),
        columns=of_ads,
    )
    if vectors is not None:
        catalogue = catalogue.with_vectors("text", np.asarray(vectors, float))
    users = np.ones(n, np.int32) if users is None else users
    return Dataset(
        schema=schema,
        catalogue=catalogue,
        user_ids=np.arange(1, int(np.max(users)) + 1),
        users={},
        events=EventLog(
            users=None,
            ads=np.asarray(events, np.int32),
            types=np.ones(len(events), np.int32),
            times=None,
        ),
        impressions=Impressions(
            requests=np.arange(n),
            users=np.asarray(users, np.int32),
            ads=np.asarray(ads, np.int32),
            times=zeros if times is None else np.asarray(times, np.int64),
            labels={
                name: np.asarray(values, np.float32)
                for name, values in {
                    "clicked": clicked,
                    **(labels or {}),
                }.items()
            },
            columns=columns,
            history_starts=zeros if starts is None else np.asarray(starts),
            history_ends=zeros if ends is None else np.asarray(ends),
            weights=None if weights is None else np.asarray(weights, float),
        ),
    )
