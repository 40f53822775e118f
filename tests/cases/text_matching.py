"""Text vectors and what matches them."""

import numpy as np

from tests.cases.arrays import D, mask_of, normal, rows, spec
from tests.conformance import Case
from tfadrec import layers
from tfadrec.core.door import tf

_RANK = 2
_HISTORY, _CANDIDATES = ("text_unit", "text_key"), ("text_unit", "text_query")


def vectors(batch, time):
    made = normal(batch, time, D)
    made[:, 1:2] = 0  # no text
    return made


def _side(names, *leading):
    widths = {"text_unit": D}
    return {name: normal(*leading, widths.get(name, _RANK)) for name in names}


def _specs(names):
    widths = {"text_unit": D}
    return {name: spec(None, widths.get(name, _RANK)) for name in names}


def inputs(batch, time):
    return {
        "history": _side(_HISTORY, batch, time),
        "candidates": _side(_CANDIDATES, batch, 3),
        "mask": mask_of(batch, time),
        "event_types": rows(batch, time, high=4),
        "ages": rows(batch, time, high=10**6),
    }


def garbled(given):
    mask = given["mask"]
    return {
        **given,
        "history": {
            name: np.where(mask[..., None], values, np.nan)
            for name, values in given["history"].items()
        },
        "event_types": np.where(mask, given["event_types"], -5),
        "ages": np.where(mask, given["ages"], -(10**9)),
    }


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
            **kwargs,
        ),
        inputs,
        {
            "history": _specs(_HISTORY),
            "candidates": _specs(_CANDIDATES),
            "mask": spec(None, dtype=tf.bool),
            "event_types": spec(None, dtype=tf.int32),
            "ages": spec(None, dtype=tf.int32),
        },
        garbled,
    ),
}
