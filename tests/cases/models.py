"""Towers and the ranker."""

import types

import numpy as np

from tests.cases.arrays import (
    D,
    column_specs,
    columns,
    lengths_of,
    normal,
    rows,
    spec,
)
from tests.cases.interaction import HEAD_FLOAT32
from tests.cases.text import BERT
from tests.conformance import Case
from tests.data import rich_dataset
from tfadrec import layers, models, towers
from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.tokens import Tokens

#: Features of all kinds and all entities.
SCHEMA = rich_dataset.schema()


def specs(*entities):
    return [feature.spec() for feature in SCHEMA.of(*entities)]


#: The vectors of ad copy that was encoded before.
TEXT = Feature("text", "ad", "vector", "text", "text", width=4)
TRAITS_OF = ("brand", "price")


def catalogue(*more):
    """Nine ads, some with a column or another unknown; `more` features."""
    features = [*SCHEMA.of("ad"), *more]
    return Catalogue(
        ad_ids=np.arange(9),
        titles=[""] * 9,
        descriptions=[""] * 9,
        tags=[[]] * 9,
        features=features,
        columns=columns([feature.spec() for feature in features], 9),
        tokens=Tokens.from_lists(
            [[3, 7, 9], [], [4], [1, 2], [5] * 8, [6, 8], [], [2, 9], [11]]
        ),
    )


def sizes(*more):
    """What a dataset of three users would tell."""
    return models.dataset_sizes(
        types.SimpleNamespace(
            schema=SCHEMA, catalogue=catalogue(*more), user_ids=["u", "v", "w"]
        )
    )


def ad_tower(name="ad_tower", more=(), **kwargs):
    return towers.AdTower(
        **sizes(*more)["ad_tower"],
        width=D,
        id_dropout=0.37,
        id_l2=0.37,
        feature_dropout=0.37,
        category="brand",
        name=name,
        **kwargs,
    )


def ad_tower_with_text(**kwargs):
    encoder = layers.BertAdEncoder(BERT, name="text", dtype=kwargs.get("dtype"))
    return ad_tower(
        text=encoder,
        text_rank=3,
        num_factors=2,
        num_slopes=2,
        num_traits=3,
        traits_of=TRAITS_OF,
        text_traits=2,
        factor_traits=2,
        max_distinct=6,
        **kwargs,
    )


def user_tower(name="user_tower", **kwargs):
    return towers.UserTower(
        layers.DIN(name="din", dtype=kwargs.get("dtype")),
        **{**sizes()["user_tower"], **kwargs},
        id_dropout=0.37,
        max_length=6,
        feature_dropout=0.37,
        name=name,
    )


def user_tower_alone(**kwargs):
    """Its features share embeddings among themselves."""
    return user_tower(
        ids={"class": "HashedIdEmbedding", "buckets": 5},
        features=alone(specs("user")),
        event_features=alone(specs("event")),
        **kwargs,
    )


def alone(features):
    """The features without what they share with ads."""
    of = {"brand": "", "tags_2": "likes"}
    for feature in features:
        owner = of.get(feature.pop("share", ""), "")
        if owner != feature["name"] and owner:
            feature["share"] = owner
    # A lookup is read at an ad's category, by the ranker.
    return [f for f in features if f["kind"] != "lookup"]


def history(batch, time):
    return {
        "history_events": rows(batch, time, high=3),
        "history_ages": rows(batch, time, high=10**6),
        "history_length": lengths_of(batch, time),
        "user_id": rows(batch, high=4),
        **columns(specs("user"), batch),
        **columns(specs("event"), batch, time),
    }


def user_inputs(batch, time):
    return {
        **history(batch, time),
        "user_key": rows(batch, high=4).astype(np.int64),
        "history_vectors": normal(batch, time, D),
        "target": normal(batch, 3, D),
    }


HISTORY = {
    "history_events": spec(None, dtype=tf.int32),
    "history_ages": spec(None, dtype=tf.int32),
    "history_length": spec(dtype=tf.int32),
    "user_id": spec(dtype=tf.int32),
    **column_specs(specs("user")),
    **column_specs(specs("event"), None),
}


def garbled(inputs):
    time = inputs["history_ages"].shape[1]
    real = np.arange(time) < inputs["history_length"][:, None]
    garbled = dict(inputs)
    for name, garbage in (
        ("history_events", -5),
        ("history_ages", -(10**9)),
        ("history_ads", 8),
        ("history_dwell", np.nan),
        ("history_searched", 3),
        ("history_terms", 2),
        ("history_mood", 1e3),
    ):
        if name in inputs:
            values = inputs[name]
            at = real.reshape(*real.shape, *[1] * (values.ndim - 2))
            garbled[name] = np.where(at, values, garbage).astype(values.dtype)
    return garbled


def ranker(name="ranker", **kwargs):
    dtype = kwargs.get("dtype")
    return models.AdRanker(
        ad_tower(
            more=[TEXT],
            text_rank=2,
            num_factors=2,
            num_slopes=1,
            num_traits=3,
            traits_of=TRAITS_OF,
            text_traits=2,
            factor_traits=2,
            dtype=dtype,
        ),
        user_tower(num_slopes=8, dtype=dtype),
        layers.AttentionMatching(name="matching", dtype=dtype),
        text_matching=layers.TextMatching(3, name="text_matching", dtype=dtype),
        fold_in=layers.FoldIn(3, rank=2, name="fold_in", dtype=dtype),
        interaction=layers.CIN((3,), name="cin", dtype=dtype),
        multitask=layers.MMoE(
            2, num_experts=3, hidden_units=(8,), name="mmoe", dtype=dtype
        ),
        tasks=("clicked", "converted"),
        losses={"clicked": {"binary": 1.0, "softmax": 0.3}},
        loss_weights={"converted": 0.5},
        row_weights={"converted": "clicked"},
        **sizes()["ranker"],
        slopes_of=("age", "gender"),
        feature_dropout=0.37,
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
        **columns(specs("context"), batch),
        **columns(specs("candidate"), batch, 3),
    }


def retriever(name="retriever", **kwargs):
    dtype = kwargs.get("dtype")
    features = [f for f in specs("user") if f["kind"] != "lookup"]
    return models.AdRetriever(
        ad_tower(more=[TEXT], dtype=dtype),
        towers.UserTower(
            layers.GRU(name="gru", dtype=dtype),
            **sizes()["user_tower"],
            features=features,
            id_dropout=0.37,
            max_length=6,
            feature_dropout=0.37,
            name="user_tower",
            dtype=dtype,
        ),
        hard_negatives=7,
        interests=3,
        name=name,
        **kwargs,
    )


def cross_encoder(name="cross_encoder", **kwargs):
    encoder = layers.BertAdEncoder(
        BERT,
        tuning="full",
        dropout=0.3,
        dtype=kwargs.get("dtype"),
        name="encoder",
    )
    return models.CrossEncoder(
        encoder,
        catalogue(),
        3,
        num_events=3,
        event_tokens=2,
        candidate_tokens=4,
        losses={"clicked": {"binary": 1.0, "softmax": 0.3}},
        name=name,
        **kwargs,
    )


CASES = {
    "AdTower": Case(
        ad_tower_with_text,
        lambda batch, time: rows(batch, time),
        spec(None, dtype=tf.int32),
        at_default=("use_id",),
        float32="id|dropout|trait_.*",
    ),
    "UserTower": Case(
        user_tower_alone,
        user_inputs,
        {
            **HISTORY,
            "user_key": spec(dtype=tf.int64),
            "history_vectors": spec(None, D),
            "target": spec(None, D),
        },
        # A table of a fixed size has no slopes.
        at_default=("num_slopes",),
        float32="id|dropout",
    ),
    "AdRanker": Case(
        ranker,
        ranker_inputs,
        {
            **HISTORY,
            "history_ads": spec(None, dtype=tf.int32),
            "candidate_ads": spec(None, dtype=tf.int32),
            **column_specs(specs("context")),
            **column_specs(specs("candidate"), None),
        },
        garbled,
        float32=f"id|dropout|trait_.*|{HEAD_FLOAT32}",
    ),
    "AdRetriever": Case(
        retriever,
        lambda batch, time: {
            **history(batch, time),
            "history_ads": rows(batch, time),
            "candidate_ads": rows(batch),
        },
        {
            **HISTORY,
            "history_ads": spec(None, dtype=tf.int32),
            "candidate_ads": spec(dtype=tf.int32),
        },
        garbled,
        float32="id|dropout|click_shares",
    ),
    "CrossEncoder": Case(
        cross_encoder,
        lambda batch, time: {
            "history_ads": rows(batch, time),
            "history_events": rows(batch, time, high=3),
            "history_ages": rows(batch, time, high=10**6),
            "history_length": lengths_of(batch, time),
            "candidate_ads": rows(batch, 3),
        },
        {
            "history_ads": spec(None, dtype=tf.int32),
            "history_events": spec(None, dtype=tf.int32),
            "history_ages": spec(None, dtype=tf.int32),
            "history_length": spec(dtype=tf.int32),
            "candidate_ads": spec(None, dtype=tf.int32),
        },
        garbled,
        float32="places|event_types|of_both|of_ad|bias",
    ),
}
