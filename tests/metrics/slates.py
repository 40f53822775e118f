"""Slates, and the same rows for the exact metrics."""

import numpy as np


def sample(seed=0, requests=200, size=12, digits=6, garbage=np.nan):
    """Clicks, scores and a mask, [B, C]; `garbage` in padding.

    Some requests have no click, some only clicks, some one row or none. With
    few `digits`, scores tie.
    """
    random = np.random.default_rng(seed)
    shape = [requests, size]
    scores = random.normal(-2, 1, shape).round(digits).astype(np.float32)
    rate = random.choice([0.05, 0.3, 0.95], [requests, 1])
    clicks = (random.random(shape) < rate).astype(np.float32)
    mask = np.arange(size) < random.integers(0, size + 1, [requests, 1])
    clicks[~mask] = scores[~mask] = garbage
    return clicks, scores, mask


def rows(clicks, scores, mask):
    """Clicks, scores and requests of the real rows, [n]."""
    requests = np.broadcast_to(np.arange(len(mask))[:, None], mask.shape)
    return clicks[mask], scores[mask], requests[mask]
