"""Layers that are used everywhere."""

import numpy as np

from tests.cases.arrays import D, mask_of, normal, rows, spec
from tests.conformance import Case
from tfadrec import layers
from tfadrec.core.door import tf

_RANK = 3


def folded(batch, time):
    return {
        "history": normal(batch, time, 2 + _RANK),
        "candidates": normal(batch, 2, 2 + _RANK),
        "mask": mask_of(batch, time),
        "event_types": rows(batch, time, high=3),
    }


def garbled_history(given):
    mask = given["mask"]
    return given | {
        "history": np.where(mask[..., None], given["history"], np.nan),
        "event_types": np.where(mask, given["event_types"], -5),
    }


CASES = {
    "Dice": Case(
        lambda **kwargs: layers.Dice(momentum=0.37, epsilon=0.37, **kwargs),
        lambda batch, time: normal(batch, time, D),
        spec(None, D),
    ),
    "Dropout": Case(
        lambda **kwargs: layers.Dropout(
            0.5, broadcast_last=True, seed=3, **kwargs
        ),
        lambda batch, time: normal(batch, time, D),
        spec(None, D),
    ),
    "DynamicIdEmbedding": Case(
        lambda **kwargs: layers.DynamicIdEmbedding(
            24,
            D,
            ways=4,
            admission=2,
            eviction="oldest",
            dropout=0.37,
            l2=0.37,
            **kwargs,
        ),
        lambda batch, time: rows(batch, time),
        spec(None, dtype=tf.int32),
        float32="id|dropout",
    ),
    "HashedIdEmbedding": Case(
        lambda **kwargs: layers.HashedIdEmbedding(
            9, D, dropout=0.37, l2=0.37, **kwargs
        ),
        lambda batch, time: rows(batch, time),
        spec(None, dtype=tf.int32),
        float32="id|dropout",
    ),
    "IdEmbedding": Case(
        lambda **kwargs: layers.IdEmbedding(
            10, D, num_slopes=2, dropout=0.37, l2=0.37, **kwargs
        ),
        lambda batch, time: rows(batch, time),
        spec(None, dtype=tf.int32),
        float32="dropout",
    ),
    "FoldIn": Case(
        lambda **kwargs: layers.FoldIn(
            3, rank=_RANK, text_rank=1, skipped=2, **kwargs
        ),
        folded,
        {
            "history": spec(None, 2 + _RANK),
            "candidates": spec(None, 2 + _RANK),
            "mask": spec(None, dtype=tf.bool),
            "event_types": spec(None, dtype=tf.int32),
        },
        garbled_history,
    ),
}
