"""Behaviour encoders."""

import numpy as np

from tests.cases.arrays import D, mask_of, normal, rows, spec
from tests.conformance import Case
from tfadrec import layers
from tfadrec.core.door import tf


def behaviour(batch, time):
    return {
        "events": normal(batch, time, D),
        "mask": mask_of(batch, time),
        "ages": rows(batch, time, high=10**6),
        "event_types": rows(batch, time, high=3),
        "category": rows(batch, time, high=3),
        "target": normal(batch, 3, D),
        "target_category": rows(batch, 3, high=3),
    }


def garbled(inputs):
    changed = dict(inputs)
    for name, garbage in (
        ("events", np.nan),
        ("ages", -(10**9)),
        ("event_types", -5),
        ("category", 2),
    ):
        real = inputs["mask"].reshape(
            *inputs["mask"].shape, *[1] * (inputs[name].ndim - 2)
        )
        changed[name] = np.where(real, inputs[name], garbage).astype(
            inputs[name].dtype
        )
    return changed


BEHAVIOUR = {
    "events": spec(None, D),
    "mask": spec(None, dtype=tf.bool),
    "ages": spec(None, dtype=tf.int32),
    "event_types": spec(None, dtype=tf.int32),
    "category": spec(None, dtype=tf.int32),
    "target": spec(None, D),
    "target_category": spec(None, dtype=tf.int32),
}


def encoder(make, **kwargs):
    """The case of an encoder: `make` gives every argument another value."""
    return Case(make, behaviour, BEHAVIOUR, garbled, **kwargs)


CASES = {
    "LSTM": encoder(layers.LSTM),
    "DIN": encoder(lambda **kwargs: layers.DIN((7, 5), "dice", **kwargs)),
    "DIEN": encoder(lambda **kwargs: layers.DIEN(0.37, **kwargs)),
    "GRU": encoder(layers.GRU),
    "MultiInterest": encoder(
        lambda **kwargs: layers.MultiInterest(3, iterations=2, **kwargs),
        at_default=("routing",),
    ),
    "BST": encoder(
        lambda **kwargs: layers.BST(
            2, 3, ffn_units=5, dropout=0.37, layer_norm=True, **kwargs
        )
    ),
    "ETA": encoder(lambda **kwargs: layers.ETA(7, 2, 3, seed=1, **kwargs)),
    "HSTU": encoder(
        lambda **kwargs: layers.HSTU(
            2, 3, dropout=0.37, max_length=3, **kwargs
        ),
        at_default=("num_layers",),
    ),
    "SDIM": encoder(lambda **kwargs: layers.SDIM(8, 2, seed=1, **kwargs)),
    "SIM": encoder(lambda **kwargs: layers.SIM("hard", 2, 3, **kwargs)),
    "TargetAttention": encoder(
        lambda **kwargs: layers.TargetAttention(3, **kwargs)
    ),
    "Transformer": encoder(
        lambda **kwargs: layers.Transformer(
            1,
            3,
            ffn_units=5,
            dropout=0.37,
            layer_norm=True,
            causal=False,
            positions="sinusoidal",
            max_length=3,
            **kwargs,
        )
    ),
}
