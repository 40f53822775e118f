"""How much a text matching counts before the first step."""

from collections.abc import Iterable, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.models.ad_ranker import AdRanker

_STEPS = 30
#: Pulls the scale to one where the rows do not tell it.
_RIDGE = 1e-3


def start_text(
    ranker: AdRanker, batches: Iterable[tuple[Mapping[str, tf.Tensor], ...]]
) -> None:
    """Scales the weights of a ranker's text matching to training rows.

    What a cosine is worth differs from log to log: of goods that are bought
    once it tells most, of films that everybody has seen almost nothing. So the
    weights that `TextMatching` starts with are multiplied by the one factor
    s >= 0 that, with an intercept, makes their logit fit the labels best: a
    logistic regression of two numbers. The order of candidates stays that of
    the cosines.

    Args:
      ranker: built and not yet trained. Without a `text_matching`, or where its
        logit is of a task with real labels, nothing is done.
      batches: of training rows, as from `Dataset.batches`; a sample will do.
    """
    label = ranker.biased_task
    matching = ranker.text_matching
    if matching is None or not ranker.task_losses[label].is_binary:
        return
    logits, labels, weights = [], [], []
    read = tf.function(lambda inputs: _text_logits(ranker, inputs))
    for inputs, targets, *given in batches:
        logits.append(read(inputs).numpy())
        labels.append(np.asarray(targets[label]))
        weights.append(
            np.asarray(given[0]) if given else np.ones(labels[-1].shape)
        )
    scale = _scale(
        *(np.concatenate(parts) for parts in (logits, labels, weights))
    )
    matching.scale_weights(scale)


def _text_logits(ranker, inputs):
    tower = ranker.ad_tower
    encoded = tower.encode(
        {
            "history": (inputs["history_ads"], tower.history_parts),
            "slate": (inputs["candidate_ads"][:, None], tower.candidate_parts),
        }
    )
    _, logits = ranker.match_texts(inputs, encoded["history"], encoded["slate"])
    return tf.squeeze(logits, 1)


def _scale(x: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """The factor of x that fits the labels best, by Newton's method."""
    rows = np.stack([x, np.ones_like(x)], axis=1).astype(np.float64)
    weights = weights / max(weights.sum(), 1e-9)
    # From the rate alone, Newton's steps do not overshoot.
    rate = np.clip(weights @ labels, 1e-6, 1 - 1e-6)
    at = np.array([0.0, np.log(rate / (1 - rate))])
    pull = np.array([_RIDGE, 1e-9])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(rows @ at, -30, 30)))
        slope = rows.T @ (weights * (p - labels)) + pull * (at - [1.0, 0.0])
        curve = (rows * (weights * p * (1 - p))[:, None]).T @ rows
        at = at - np.linalg.solve(curve + np.diag(pull), slope)
    return max(float(at[0]), 0.0)
