"""Text vectors and what matches them."""

import numpy as np

from tests.cases.arrays import D, mask_of, normal, rows, spec
from tests.conformance import Case
from tfadrec import layers
from tfadrec.core.door import tf

_RANK = 2


def vectors(batch, time):
    made = normal(batch, time, D)
    made[:, 1:2] = 0  # no text
    return made


def inputs(batch, time):
    return {
        "history": normal(batch, time, D),
        "candidates": normal(batch, 3, D),
        "history_keys": normal(batch, time, _RANK),
        "candidate_queries": normal(batch, 3, _RANK),
        "mask": mask_of(batch, time),
        "event_types": rows(batch, time, high=4),
        "ages": rows(batch, time, high=10**6),
    }


def garbled(given):
    mask = given["mask"]
    padded = {"history": np.nan, "history_keys": np.nan}
    padded |= {"event_types": -5, "ages": -(10**9)}
    garbled = dict(given)
    for name, garbage in padded.items():
        values = given[name]
        real = mask.reshape(*mask.shape, *[1] * (values.ndim - 2))
        garbled[name] = np.where(real, values, garbage).astype(values.dtype)
    return garbled


CASES = {
    "TextSpace": Case(
        lambda **kwargs: layers.TextSpace(3, **kwargs), vectors, spec(None, D)
    ),
    "TextMatching": Case(
        lambda **kwargs: layers.TextMatching(
            3,
            max_length=5,
            temperature=0.37,
            weights_at_start=(1.0, -2.0, 0.5, 0.3),
            skipped=2,
            **kwargs,
        ),
        inputs,
        {
            "history": spec(None, D),
            "candidates": spec(None, D),
            "history_keys": spec(None, _RANK),
            "candidate_queries": spec(None, _RANK),
            "mask": spec(None, dtype=tf.bool),
            "event_types": spec(None, dtype=tf.int32),
            "ages": spec(None, dtype=tf.int32),
        },
        garbled,
    ),
}
