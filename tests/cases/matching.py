"""Matching layers."""

import numpy as np

from tests.cases.arrays import D, mask_of, normal, spec
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
}
