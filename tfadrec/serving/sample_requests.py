"""Requests that a bundle's samples show, one of each signature."""

from collections.abc import Iterable, Mapping

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.serving.ad_expiry import NOW
from tfadrec.serving.finder import ALLOW
from tfadrec.serving.merging import mergeable
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.requests import Request


def sample_requests(
    requests: Iterable[tuple[str, Request]],
    specs: Mapping[str, Specs],
    dataset: Dataset,
) -> dict[str, Request]:
    """The first request of each signature, in the form that may be merged.

    Where ads can be filtered, it asks for those that are as one of them is, and
    where they expire for those that are there by the server's clock: the
    moment of a warm-up request would go with each copy of the sample.

    Args:
      requests: as from `warm_up_requests`.
      specs: the bundle's signatures, and the inputs of each.
      dataset: gives the ads, and what their categories are called.

    Returns:
      Signature -> its inputs.
    """
    found: dict[str, Request] = {}
    for name, request in requests:
        if name in specs and name not in found:
            asked = request | _filters(specs[name], dataset)
            if NOW in asked:
                asked[NOW] = np.zeros_like(asked[NOW])
            found[name] = mergeable(asked, name, specs)
    return found


def _filters(specs: Specs, dataset: Dataset) -> Request:
    """Inputs that allow the values of an ad that has all of them, if any."""
    known = [
        feature
        for feature in dataset.schema.of("ad")
        if ALLOW + feature.tensor in specs and feature.vocabulary
    ]
    if not known:
        return {}
    codes = np.stack([dataset.catalogue.columns[f.tensor] for f in known])
    ads = np.flatnonzero((codes > 0).all(axis=0))
    if not len(ads):
        return {}
    return {
        ALLOW + feature.tensor: np.array(
            [[feature.vocabulary[own[ads[0]] - 1]]], object
        )
        for feature, own in zip(known, codes, strict=True)
    }
