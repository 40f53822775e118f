"""How much texts count before the first step."""

from collections.abc import Iterable, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.logistic import fit_weights
from tfadrec.models.ad_ranker import AdRanker

#: Pulls the scale to one where the rows do not tell it, holds what is known,
#: and leaves the intercept free.
_PULL = np.array([1e-3, 1e9, 1e-9])


def start_text(
    ranker: AdRanker, batches: Iterable[tuple[Mapping[str, tf.Tensor], ...]]
) -> None:
    """Scales the weights of a ranker's text matching to training rows.

    What a cosine is worth differs from log to log: of goods that are bought
    once it tells most, of films that everybody has seen almost nothing. So the
    weights that `TextMatching` starts with are multiplied by the one factor
    s >= 0 that, with an intercept, makes their logit fit the labels best: a
    logistic regression of two numbers, beside what the candidates' own texts
    are worth (see `start_appeal`). The order of what matches stays that of the
    cosines.

    Args:
      ranker: built and not yet trained. Without a `text_matching`, or where its
        logit is of a task with real labels, nothing is done.
      batches: of training rows, as from `Dataset.batches`; a sample will do.
    """
    label = ranker.biased_task
    matching = ranker.text_matching
    if matching is None or not ranker.task_losses[label].is_binary:
        return
    logits, appeals, labels, weights = [], [], [], []
    read = tf.function(lambda inputs: _text_logits(ranker, inputs))
    for inputs, targets, *given in batches:
        matched, appeal = read(inputs)
        logits.append(matched.numpy())
        appeals.append(appeal.numpy())
        labels.append(np.asarray(targets[label]))
        weights.append(
            np.asarray(given[0]) if given else np.ones(labels[-1].shape)
        )
    scale = _scale(*map(np.concatenate, (logits, appeals, labels, weights)))
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
    return tf.squeeze(logits, 1), tf.squeeze(encoded["slate"]["text_appeal"], 1)


def _scale(
    x: np.ndarray, known: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> float:
    """The factor of x that, beside the known, fits the labels best."""
    weights = (weights / max(weights.sum(), 1e-9)).astype(np.float64)
    rate = np.clip(weights @ labels, 1e-6, 1 - 1e-6)
    columns = np.stack([x, known, np.ones_like(x)], axis=1).astype(np.float64)
    start = np.array([1.0, 1.0, np.log(rate / (1 - rate))])
    found = fit_weights(columns, labels, weights, start, _PULL)
    return max(float(found[0]), 0.0)
