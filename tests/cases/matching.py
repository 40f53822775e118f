"""Matching layers."""

import numpy as np

from tests.cases.arrays import D, mask_of, normal, rows, spec
from tests.conformance import Case
from tfadrec import layers
from tfadrec.core.door import tf


def matching(batch, time):
    ad_mask = np.ones([batch, 3, 2], bool)
    ad_mask[:, 1, 1] = ad_mask[:, 2] = False
    return {
        "user": normal(batch, time, D),
        "user_mask": mask_of(batch, time),
        "ad": normal(batch, 3, 2, D),
        "ad_mask": ad_mask,
    }


def garbled(inputs):
    return {
        **inputs,
        "user": np.where(
            inputs["user_mask"][..., None], inputs["user"], np.nan
        ),
        "ad": np.where(inputs["ad_mask"][..., None], inputs["ad"], np.nan),
    }


MATCHING = {
    "user": spec(None, D),
    "user_mask": spec(None, dtype=tf.bool),
    "ad": spec(None, None, D),
    "ad_mask": spec(None, None, dtype=tf.bool),
}


def matching_case(make):
    return Case(make, matching, MATCHING, garbled)


_RANK = 3


def folded(batch, time):
    return {
        "history": normal(batch, time, 1 + _RANK),
        "candidates": normal(batch, 2, 1 + _RANK),
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
    "AttentionMatching": matching_case(
        lambda **kwargs: layers.AttentionMatching(
            "max", scaled=True, projection=3, num_heads=2, **kwargs
        )
    ),
    "BilinearMatching": matching_case(
        lambda **kwargs: layers.BilinearMatching("sum", **kwargs)
    ),
    "CosineMatching": matching_case(
        lambda **kwargs: layers.CosineMatching("max", 0.37, **kwargs)
    ),
    "LateInteractionMatching": matching_case(
        lambda **kwargs: layers.LateInteractionMatching("mean", **kwargs)
    ),
    "FoldIn": Case(
        lambda **kwargs: layers.FoldIn(3, rank=_RANK, skipped=2, **kwargs),
        folded,
        {
            "history": spec(None, 1 + _RANK),
            "candidates": spec(None, 1 + _RANK),
            "mask": spec(None, dtype=tf.bool),
            "event_types": spec(None, dtype=tf.int32),
        },
        garbled_history,
    ),
}
