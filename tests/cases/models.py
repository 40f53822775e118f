"""Towers and the ranker."""

import numpy as np

from tests.cases.arrays import D, lengths_of, normal, rows, spec
from tests.cases.interaction import HEAD_FLOAT32
from tests.cases.text import BERT
from tests.conformance import Case
from tfadrec import layers, models, towers
from tfadrec.core.door import tf
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.tokens import Tokens


def catalogue():
    """Nine ads, some with a column or another unknown."""
    return Catalogue(
        ad_ids=np.arange(9),
        titles=[""] * 9,
        descriptions=[""] * 9,
        tags=[[]] * 9,
        categoricals={"brand": rows(9, high=4), "colour": rows(9, high=3)},
        numerics={"price": normal(9), "weight": normal(9) ** 2},
        vectors={"copy": normal(9, 5)},
        category_sizes={"brand": 4, "colour": 3},
        tokens=Tokens.from_lists(
            [[3, 7, 9], [], [4], [1, 2], [5] * 8, [6, 8], [], [2, 9], [11]]
        ),
    )


def ad_tower(name="ad_tower", **kwargs):
    return towers.AdTower(
        catalogue(),
        D,
        id_dropout=0.37,
        id_l2=0.37,
        category="brand",
        name=name,
        **kwargs,
    )


def ad_tower_with_text(**kwargs):
    encoder = layers.BertAdEncoder(BERT, name="text", dtype=kwargs.get("dtype"))
    return ad_tower(text=encoder, max_distinct=6, **kwargs)


def user_tower(name="user_tower", **kwargs):
    return towers.UserTower(
        layers.DIN(name="din", dtype=kwargs.get("dtype")),
        num_event_types=3,
        num_users=4,
        id_dropout=0.37,
        max_length=6,
        name=name,
        **kwargs,
    )


def history(batch, time):
    return {
        "history_events": rows(batch, time, high=3),
        "history_ages": rows(batch, time, high=10**6),
        "history_length": lengths_of(batch, time),
        "user_id": rows(batch, high=4),
    }


def user_inputs(batch, time):
    return {
        **history(batch, time),
        "history_vectors": normal(batch, time, D),
        "target": normal(batch, 3, D),
    }


HISTORY = {
    "history_events": spec(None, dtype=tf.int32),
    "history_ages": spec(None, dtype=tf.int32),
    "history_length": spec(dtype=tf.int32),
    "user_id": spec(dtype=tf.int32),
}


def garbled(inputs):
    time = inputs["history_ages"].shape[1]
    real = np.arange(time) < inputs["history_length"][:, None]
    garbled = dict(inputs)
    for name, garbage in (
        ("history_events", -5),
        ("history_ages", -(10**9)),
        ("history_ads", 8),
    ):
        if name in inputs:
            garbled[name] = np.where(real, inputs[name], garbage)
    return garbled


def ranker(name="ranker", **kwargs):
    dtype = kwargs.get("dtype")
    return models.AdRanker(
        ad_tower(dtype=dtype),
        user_tower(dtype=dtype),
        layers.AttentionMatching(name="matching", dtype=dtype),
        interaction=layers.CIN((3,), name="cin", dtype=dtype),
        multitask=layers.MMoE(
            2, num_experts=3, hidden_units=(8,), name="mmoe", dtype=dtype
        ),
        tasks=("clicked", "converted"),
        context={"hour": 24, "scroll": None},
        hidden_units=(16,),
        cross_layers=2,
        dropout=0.37,
        name=name,
        **kwargs,
    )


def ranker_inputs(batch, time):
    return {
        **history(batch, time),
        "history_ads": rows(batch, time),
        "candidate_ads": rows(batch, 3),
        "hour": rows(batch, high=24),
        "scroll": normal(batch),
    }


CASES = {
    "AdTower": Case(
        ad_tower_with_text,
        lambda batch, time: rows(batch, time),
        spec(None, dtype=tf.int32),
        at_default=("use_id",),
        float32="id|dropout",
    ),
    "UserTower": Case(
        user_tower,
        user_inputs,
        {
            **HISTORY,
            "history_vectors": spec(None, D),
            "target": spec(None, D),
        },
        float32="id|dropout",
    ),
    "AdRanker": Case(
        ranker,
        ranker_inputs,
        {
            **HISTORY,
            "history_ads": spec(None, dtype=tf.int32),
            "candidate_ads": spec(None, dtype=tf.int32),
            "hour": spec(dtype=tf.int32),
            "scroll": spec(),
        },
        garbled,
        float32=f"id|dropout|{HEAD_FLOAT32}",
    ),
}
