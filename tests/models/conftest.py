"""A small ranker and random rows."""

import types

import numpy as np
import pytest

from tests.layers.features.specs import spec
from tfadrec import layers, models, towers
from tfadrec.core.door import keras, tf

SPEC = {
    "num_ads": 20,
    "features": [
        spec("brand", "category", num_codes=4),
        spec("price", "number"),
        spec("copy", "vector", width=5),
    ],
}
USER = [spec("age", "number"), spec("gender", "category", num_codes=3)]
EVENT = [spec("history_dwell", "number")]
CONTEXT = [spec("hour", "category", num_codes=24), spec("scroll", "number")]
CANDIDATE = [
    spec("bid", "number", entity="candidate"),
    spec("slot", "category", num_codes=3, entity="candidate"),
]


def make_ranker(matching=True, encoder=None, category=None, **arguments):
    keras.utils.set_random_seed(0)
    arguments = {
        "tasks": ("clicked",),
        "context": CONTEXT,
        "candidate": CANDIDATE,
        "hidden_units": (16, 8),
        "dropout": 0,
        "feature_dropout": 0,
        **arguments,
    }
    ranker = models.AdRanker(
        towers.AdTower(
            SPEC,
            8,
            id_dropout=0,
            feature_dropout=0,
            category=category,
            name="ad_tower",
        ),
        towers.UserTower(
            encoder or layers.DIN((8,), name="din"),
            num_event_types=3,
            num_users=7,
            id_dropout=0,
            features=USER,
            event_features=EVENT,
            feature_dropout=0,
            name="user_tower",
        ),
        layers.AttentionMatching() if matching else None,
        **arguments,
    )
    ranker.build(None)
    random = np.random.default_rng(5)
    for variable in ranker.weights:
        if variable.name.endswith(("copy_table:0", "numbers_table:0")):
            values = random.normal(size=variable.shape)
            if "numbers" in variable.name:
                values[::5] = np.nan  # some prices are missing
            variable.assign(values)
        elif variable.name.endswith("brand_table:0"):
            variable.assign(random.integers(0, 4, variable.shape))
    return ranker


def make_rows(batch=12, time=5, slate=None, seed=0, labels=("clicked",)):
    random = np.random.default_rng(seed)

    def codes(high, *shape):
        return tf.constant(random.integers(0, high, shape), tf.int32)

    def numbers(*shape):
        values = random.normal(size=shape)
        values[random.random(shape) < 0.15] = np.nan  # some are missing
        return tf.constant(values, tf.float32)

    candidates = (batch,) if slate is None else (batch, slate)
    inputs = {
        "user_id": codes(7, batch),
        "history_ads": codes(21, batch, time),
        "history_events": codes(3, batch, time),
        "history_ages": codes(10**6, batch, time),
        "history_length": codes(time + 1, batch),
        "candidate_ads": codes(21, *candidates),
        "hour": codes(24, batch),
        "scroll": numbers(batch),
        "age": numbers(batch),
        "gender": codes(3, batch),
        "history_dwell": numbers(batch, time),
        "bid": numbers(*candidates),
        "slot": codes(3, *candidates),
    }
    return inputs, {
        name: tf.constant(random.integers(0, 2, candidates), tf.float32)
        for name in labels
    }


@pytest.fixture
def small():
    return types.SimpleNamespace(ranker=make_ranker, rows=make_rows)
