"""Matching layers in NumPy, pair by pair."""

import numpy as np

from tfadrec.core.door import tf

B, T, C, N, D = 2, 3, 2, 3, 4


def inputs():
    """Random vectors; one event and one ad vector are padding."""
    random = np.random.default_rng(5)
    user_mask = np.array([[True, True, True], [True, True, False]])
    ad_mask = np.ones([B, C, N], bool)
    ad_mask[1, 0, 2] = False
    return {
        "user": random.normal(size=(B, T, D)),
        "user_mask": user_mask,
        "ad": random.normal(size=(B, C, N, D)),
        "ad_mask": ad_mask,
    }


def tensors(arrays):
    return {
        name: tf.constant(array, tf.bool if array.dtype == bool else tf.float32)
        for name, array in arrays.items()
    }


def attention_scores(arrays, product):
    """The mean c [B, C] and alpha [B, C, T, N] for any product of a pair."""
    scores, weights = np.zeros([B, C]), np.zeros([B, C, T, N])
    for b, c in np.ndindex(B, C):
        found = []
        for i in range(T):
            real = [j for j in range(N) if arrays["ad_mask"][b, c, j]]
            user = arrays["user"][b, i] * arrays["user_mask"][b, i]
            s = np.array([product(user, arrays["ad"][b, c, j]) for j in real])
            alpha = np.exp(s) / np.exp(s).sum()
            weights[b, c, i, real] = alpha
            if arrays["user_mask"][b, i]:
                found.append(alpha @ s)
        scores[b, c] = np.mean(found)
    return scores, weights
