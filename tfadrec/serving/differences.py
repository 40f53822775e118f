"""How far two answers to one request are from each other."""

from collections.abc import Collection, Mapping

import numpy as np

_LEAST = 1e-6


def largest(
    found: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    means: Collection[str],
    *,
    tie: float = 0.0,
) -> float:
    """The largest difference of two answers, as a share of what is expected.

    Of a logit or any other number z it is a share of max(1, |z|), and of a
    probability p one of p max(1, -log p), p >= 1e-6, which the former implies.
    What is no number with a fraction has to be equal; but ads of equal scores
    may change places.

    Args:
      found: arrays by name.
      expected: arrays by name; there may be more in `found`.
      means: the names of a scored ad's answers that are no probabilities.
      tie: scores are equal up to this share.

    Returns:
      0 where both are the same; infinity or NaN where they are not comparable.
    """
    is_scored = "score" in expected
    differences = [0.0]
    for name, values in expected.items():
        other = found[name]
        if other.shape != values.shape or other.dtype != values.dtype:
            return np.inf
        if values.dtype.kind == "f":
            is_probability = is_scored and name not in means
            differences.append(_relative(other, values, is_probability))
            continue
        differs = other != values
        if name == "ad_ids":
            differs &= ~_may_change_places(expected, tie)
        differences.append(np.inf if differs.any() else 0.0)
    return float(np.max(differences))


def _relative(found, expected, is_probability) -> float:
    found, expected = (x.astype(np.float64) for x in (found, expected))
    with np.errstate(divide="ignore", invalid="ignore"):
        if is_probability:
            size = np.maximum(expected, _LEAST)
            size *= np.maximum(1, -np.log(expected))
        else:
            size = np.maximum(1, np.abs(expected))
        # Also where both are infinite.
        share = np.abs(found - expected) / size
    return np.where(found == expected, 0.0, share).max(initial=0.0)


def _may_change_places(expected, tie) -> np.ndarray:
    """Whether an ad's neighbour, which may be beyond the last, scores alike."""
    is_scored = "score" in expected
    scores = expected["score" if is_scored else "scores"].astype(np.float64)
    after = scores[:, 1:]
    size = after if is_scored else np.maximum(1, np.abs(after))
    with np.errstate(invalid="ignore"):  # behind the last ad it is -inf
        close = -np.diff(scores, axis=1) <= tie * size
    before = np.pad(close, [(0, 0), (1, 0)])
    return before | np.pad(close, [(0, 0), (0, 1)], constant_values=True)
