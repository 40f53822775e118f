"""Layers that are used everywhere."""

from tests.cases.arrays import D, normal, rows, spec
from tests.conformance import Case
from tfadrec import layers
from tfadrec.core.door import tf

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
    "IdEmbedding": Case(
        lambda **kwargs: layers.IdEmbedding(
            10, D, dropout=0.37, l2=0.37, **kwargs
        ),
        lambda batch, time: rows(batch, time),
        spec(None, dtype=tf.int32),
        float32="dropout",
    ),
}
