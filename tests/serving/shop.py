"""A dataset with features of every kind and entity, and a ranker of it.

Its log holds half of the impressions without a click, and the ranker predicts
clicks and a revenue. Names of features are odd; values are missing, unknown and
many.
"""

import contextlib
import functools
import types

import numpy as np
import yaml

from tests.training import small
from tfadrec import data, layers, models, serving
from tfadrec.core.door import keras
from tfadrec.data import sources

ADS, USERS, EVENTS, REQUESTS = 9, 7, 70, 60
KEPT = 0.5
CONFIG = {
    "name": "shop",
    "ads": {
        "file": "ads.csv",
        "ad_id": "ad",
        "title": "title",
        "features": {
            "brand": "category",
            "price": {"kind": "number", "log1p": True},
            "tags": {"kind": "categories", "separator": "|"},
            "img": "vector",
            "Price Bucket": {"kind": "number", "column": "price", "buckets": 3},
            "brand x price": {
                "kind": "cross",
                "of": ["brand", "Price Bucket"],
                "buckets": 20,
            },
        },
    },
    "users": {
        "file": "users.csv",
        "user_id": "user",
        "features": {
            "age": "number",
            "likes": {
                "kind": "categories",
                "weighted": True,
                "separator": "|",
                "share": "tags",
            },
            "by brand": {"kind": "lookup", "of": "brand"},
            "city": {"kind": "category", "buckets": 50},
            "face": "vector",
        },
    },
    "events": {
        "file": "events.csv",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "event_type": "kind",
        "features": {
            "dwell": {"kind": "number", "log1p": True},
            "q": {"kind": "category", "share": "brand"},
            "words": {"kind": "categories", "separator": "|"},
            "pixel": "vector",
        },
    },
    "impressions": {
        "file": "log.csv",
        "request_id": "request",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "clicked": "click",
        "negatives_kept": KEPT,
        "labels": {
            "revenue": {"column": "revenue", "type": "real"},
            "score": {"column": "liked", "type": "binary"},
        },
        "position": "place",
        "features": {
            "device": {"kind": "category", "buckets": 20},
            "hour": "number",
            "k": {"kind": "category", "column": "device"},
            "Größe/größe": {"kind": "number", "column": "hour"},
        },
        "candidate_features": {
            "bid": "number",
            "taste!": {"kind": "overlap", "of": ["likes", "tags"]},
            "history_x": {
                "kind": "cross",
                "of": ["k", "brand"],
                "buckets": 50,
            },
        },
    },
}


def write(folder):
    """The files of the log."""
    random = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)

    def file(name, header, rows):
        (folder / name).write_text("\n".join([header, *rows, ""]))

    file(
        "ads.csv",
        "ad,title,brand,price,tags,img",
        (
            f"a{n},Ad {n},{'' if n == 3 else f'b{n % 3}'},"
            f"{'' if n == 2 else n * 1.5},{'x|y' if n % 2 else 'y|z|w'},"
            f"{n} 1 {n * n}"
            for n in range(ADS)
        ),
    )
    file(
        "users.csv",
        "user,age,likes,by brand,city,face",
        (
            f"u{n},{'' if n == 1 else 20 + n},{'x:2|z:1' if n % 2 else 'y:-1'},"
            f"b0:{n} b1:2 b9:4,town {n % 4},{'' if n == 2 else f'{n} -1'}"
            for n in range(USERS)
        ),
    )
    file(
        "events.csv",
        "user,ad,time,kind,dwell,q,words,pixel",
        (
            f"u{random.integers(USERS)},a{random.integers(ADS)},"
            f"{1000 + random.integers(900)},{random.choice(['click', 'buy'])},"
            f"{random.integers(90)},b{random.integers(4)},"
            f"{random.choice(['red|hat', 'hat', ''])},{random.integers(5)} 2"
            for _ in range(EVENTS)
        ),
    )
    rows = []
    for request in range(REQUESTS):
        user, time = random.integers(USERS + 2), 1000 + random.integers(900)
        hour, device = random.integers(24), random.choice(["ios", "web", ""])
        for place in range(random.integers(1, 4)):
            click = int(random.random() < 0.4)
            rows.append(
                f"u{user},a{random.integers(ADS)},{time},{click},"
                f"{click * random.integers(9)},{random.integers(2)},{place},"
                f"{hour},{device},{random.random():.2f},r{request}"
            )
    file(
        "log.csv",
        "user,ad,time,click,revenue,liked,place,hour,device,bid,request",
        rows,
    )
    (folder / "table.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder / "table.yaml"


@functools.cache
def dataset():
    folder = small.folder() / "shop"
    sources.prepare_table(write(folder), folder / "data")
    return data.open_dataset(folder / "data").with_history_length(4)


def ranker_of(found):
    """A ranker with weights that tell things apart."""
    ranker = models.AdRanker.for_dataset(
        found,
        layers.DIN(hidden_units=(4,)),
        tasks=found.schema.labels,
        losses={"revenue": "ziln"},
        ad_tower={"width": 4},
        hidden_units=(4,),
    )
    ranker.build()
    random = np.random.default_rng(1)
    for variable in ranker.trainable_variables:
        variable.assign(random.normal(0, 0.25, variable.shape))
    return ranker


def shop(policy="float32"):
    """The dataset, a ranker of it, and the answers of its service."""
    return _shop(policy)


@functools.cache
def _shop(policy):  # so that a default and the same by name are one
    found = dataset()
    with precision(policy):
        return served(found, ranker_of(found))


@contextlib.contextmanager
def precision(policy):
    """Layers that are made inside have this policy."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def served(found, ranker):
    """A dataset and a ranker with a service that has every signature."""
    service = serving.RankingService(ranker, found)
    signatures = service.signatures()
    return types.SimpleNamespace(
        dataset=found,
        ranker=ranker,
        text={},
        service=service,
        reader=service.reader,
        ask=serving.answers(service, signatures),
        signatures=signatures,
    )
