"""A dataset with features of all kinds and all entities, written by hand."""

import numpy as np
import pyarrow as pa

from tests.data import dataset_folder
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.open_dataset import open_dataset

BRANDS, TERMS = ("b0", "b1", "b2", "b3"), ("x", "y", "z")
_MAP = pa.map_(pa.string(), pa.float64())
_FLOATS, _TEXTS = pa.list_(pa.float32()), pa.list_(pa.string())


def brands(name, entity, kind="category", **fields):
    share = "" if (name, entity) == ("brand", "ad") else "ad.brand"
    return Feature(name, entity, kind, vocabulary=BRANDS, share=share, **fields)


def terms(name, entity):
    share = "" if (name, entity) == ("tags!", "ad") else "tags!"
    return Feature(
        name, entity, "categories", vocabulary=TERMS, share=share, width=2
    )


FEATURES = (
    brands("brand", "ad"),
    terms("tags!", "ad"),
    Feature("styles", "ad", "categories", buckets=7, width=2, weighted=True),
    Feature("price", "ad", "number", mean=5.0, std=2.0, low=0.0, high=9.0),
    Feature("price bucket", "ad", "number", bounds=(3.0, 6.0)),
    Feature("image", "ad", "vector", width=3),
    Feature(
        "brand x price", "ad", "cross", buckets=11, of=("brand", "price bucket")
    ),
    Feature("age", "user", "number", mean=30.0, std=5.0),
    Feature("gender", "user", "category", vocabulary=("f", "m")),
    terms("likes", "user"),
    Feature("persona", "user", "vector", width=2),
    brands("by brand", "user", "lookup", width=2, of=("brand",)),
    Feature("dwell", "event", "number", log1p=True, mean=2.0),
    brands("searched", "event"),
    terms("terms", "event"),
    Feature("mood", "event", "vector", width=2),
    Feature("device", "context", "category", buckets=20),
    Feature("hour", "context", "number", mean=12.0, std=6.0),
    Feature("part of day", "context", "number", bounds=(6.0, 18.0)),
    Feature(
        "device by day",
        "context",
        "cross",
        buckets=13,
        of=("device", "part of day"),
    ),
    Feature("bid", "candidate", "number", mean=0.5, std=0.3),
    Feature("slot", "candidate", "category", vocabulary=("side", "top")),
    terms("reasons", "candidate"),
    Feature("look", "candidate", "vector", width=2),
    Feature(
        "taste", "candidate", "overlap", of=("likes", "tags!"), measure="share"
    ),
    Feature(
        "device x brand",
        "candidate",
        "cross",
        buckets=17,
        of=("device", "brand"),
    ),
)


def schema(**changes):
    fields = {
        "source": "made",
        "user_id_type": "string",
        "ad_id_type": "string",
        "event_types": ("view", "click"),
        "labels": ("clicked", "revenue"),
        "features": FEATURES,
    }
    return Schema(**{**fields, **changes})


def tables(users=8, ads=10, requests=40, events=100, weighted=True, seed=0):
    """Requests of one to four ads; some values of each column are missing."""
    random = np.random.default_rng(seed)

    def some(values, n, kind=None, missing=0.1):
        values = [
            None
            if random.random() < missing
            else values[random.integers(len(values))]
            for _ in range(n)
        ]
        return pa.array(values, kind)

    def floats(n, width=None):
        made = random.normal(3, 2, (n, *([] if width is None else [width])))
        return list(made.tolist())

    def maps(keys, n):
        made = [
            [
                (key, float(random.integers(1, 9)))
                for key in keys
                if random.random() < 0.5
            ]
            for _ in range(n)
        ]
        return pa.array(made, _MAP)

    lists = [[], ["x"], ["y", "z"], ["z", "x"], ["y", "odd"]]
    ad_ids = [f"a{i}" for i in range(ads)]
    user_ids = [f"u{i}" for i in range(users)]
    catalogue = {
        "ad_id": ad_ids,
        "title": [f"Title {i}" for i in range(ads)],
        "description": [""] * ads,
        "tags": pa.array([[]] * ads, _TEXTS),
        "brand": some(BRANDS, ads),
        "tags_2": some(lists, ads, _TEXTS),
        "styles": maps(["plain", "loud", "new"], ads),
        "price": some(floats(ads), ads),
        "price_bucket": some([1.0, 4.0, 8.0], ads),
        "image": some(floats(ads, 3), ads, _FLOATS),
    }
    people = {
        "user_id": user_ids[1:],  # of the first one nothing is known
        "age": some([20.0, 30.0, 41.0], users - 1),
        "gender": some(["f", "m"], users - 1),
        "likes": some(lists, users - 1, _TEXTS),
        "persona": some(floats(users, 2), users - 1, _FLOATS),
        "by_brand": maps(BRANDS, users - 1),
    }
    log = {
        "user_id": some(user_ids[:-1], events, missing=0),
        "ad_id": some(ad_ids, events, missing=0),
        "event_type": some(["view", "click", "odd"], events, missing=0),
        "timestamp": random.integers(1000, 2000, events),
        "history_dwell": some(floats(events), events),
        "history_searched": some(BRANDS, events),
        "history_terms": some(lists, events, _TEXTS),
        "history_mood": some(floats(events, 2), events, _FLOATS),
    }
    sizes = random.integers(1, 5, requests)
    request = np.repeat(np.arange(requests), sizes)
    n = len(request)

    def once(column):
        """One value for all rows of a request."""
        return column.take(pa.array(request))

    clicked = (random.random(n) < 0.4).astype(np.int8)
    shown = {
        "request_id": pa.array([f"r{i}" for i in request]),
        "user_id": once(some(user_ids, requests, missing=0)),
        "ad_id": some(ad_ids, n, missing=0),
        "timestamp": once(pa.array(random.integers(1000, 2000, requests))),
        "clicked": clicked,
        "revenue": clicked * random.integers(0, 9, n).astype(float),
        "device": once(some(["ios", "web", "tv"], requests)),
        "hour": once(some([3.0, 9.0, 22.0], requests)),
        "part_of_day": once(some([3.0, 9.0, 22.0], requests)),
        "bid": some(floats(n), n),
        "slot": some(["side", "top"], n),
        "reasons": some(lists, n, _TEXTS),
        "look": some(floats(n, 2), n, _FLOATS),
    }
    if weighted:
        shown["weight"] = random.integers(1, 4, n).astype(float)
    made = {
        "ads": catalogue,
        "users": people,
        "events": log,
        "impressions": shown,
    }
    return {name: pa.table(columns) for name, columns in made.items()}


def make(folder, length=4, **sizes):
    """The dataset, opened."""
    folder = dataset_folder.write(folder, tables(**sizes), schema())
    return open_dataset(folder).with_history_length(length)
