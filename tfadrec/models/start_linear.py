"""The linear path, before the first step."""

from collections.abc import Iterable, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.losses.task_loss import log_odds
from tfadrec.models.ad_ranker import AdRanker
from tfadrec.models.leveled_rows import (
    LeveledRows,
    choose_penalties,
    fit_levels,
)
from tfadrec.models.read_batches import read_batches

#: Pulls a weight to where it starts where the rows do not tell it, and leaves
#: the intercept free.
_PULL, _FREE = 1e-3, 1e-9


def start_linear(
    ranker: AdRanker, batches: Iterable[tuple[Mapping[str, tf.Tensor], ...]]
) -> None:
    """Sets a ranker's linear path to what training rows tell at once.

    That is a logistic regression on the factor s >= 0 of the text matching's
    logit, the weights of rates and counts, an intercept, and a level for each
    ad and each user, beside what the candidates' own texts are worth (see
    `start_appeal`). What a cosine is worth differs from log to log: of goods
    that are bought once it tells most, of films that everybody has seen almost
    nothing. The order of what matches stays that of the cosines. Levels are
    held by a penalty, which the last quarter of the rows tells, and stay zero
    where they are of no use to these.

    An ad of twenty rows is met twenty times in a pass, and a step of Adam moves
    its bias by no more than the learning rate: so without this the network
    learns rows by heart before the biases have come to what they are worth.

    Args:
      ranker: built and not yet trained. Where its logit is of a task with real
        labels, nothing is done.
      batches: of training rows in the order of their times, as from
        `Dataset.batches`; ads and users that are not among them begin as
        unknown ones.

    Reference:
      Zhang et al., "GLMix: Generalized Linear Mixed Models For Large-Scale
      Response Prediction", KDD 2016, for levels of ads and users in turns.
    """
    loss = ranker.task_losses[ranker.biased_task]
    if not loss.is_binary:
        return
    rows = _read(ranker, batches)
    if not rows.weights.sum() > 0:
        return
    matching, rates = ranker.text_matching, ranker.rates
    start = np.concatenate(
        [
            [] if matching is None else [1.0],
            [] if rates is None else rates.factors.numpy(),
            [log_odds(np.average(rows.labels, weights=rows.weights))],
        ]
    )
    pulls = np.append(np.full(len(start) - 1, _PULL), _FREE)
    sizes = {
        "ads": ranker.ad_tower.num_rows,
        "users": ranker.user_tower.num_users,
    }
    penalties = choose_penalties(rows, sizes, start, pulls)
    weights, levels = fit_levels(rows, sizes, start, pulls, penalties)
    if matching is not None:
        matching.scale_weights(max(float(weights[0]), 0.0))
    if rates is not None:
        rates.factors.assign(weights[-1 - rates.factors.shape[0] : -1])
    if loss.start(rows.labels, rows.weights) is not None:
        ranker.heads[ranker.biased_task].start_at(weights[-1:])
    for name, tower in (("ads", ranker.ad_tower), ("users", ranker.user_tower)):
        if name in levels:
            tower.start_biases(levels[name])


def _read(ranker, batches) -> LeveledRows:
    """What the linear path adds up, of all rows."""
    keys: dict[str, list[np.ndarray]] = {}
    if ranker.ad_tower.use_id:
        keys["ads"] = []
    if ranker.user_tower.reads_rows:
        keys["users"] = []
    columns, known, labels, weights = [], [], [], []
    read = read_batches(lambda inputs: _parts(ranker, inputs), batches)
    for (of_rows, appeal), (inputs, targets, *given) in read:
        columns.append(of_rows.numpy())
        known.append(appeal.numpy())
        for name, of in (("ads", "candidate_ads"), ("users", "user_id")):
            if name in keys:
                keys[name].append(inputs[of].numpy())
        labels.append(np.asarray(targets[ranker.biased_task]))
        weights.append(
            np.asarray(given[0]) if given else np.ones(labels[-1].shape)
        )
    counts = np.concatenate(weights).astype(np.float64)
    return LeveledRows(
        np.concatenate(columns).astype(np.float64),
        np.concatenate(known).astype(np.float64),
        {name: np.concatenate(parts) for name, parts in keys.items()},
        np.concatenate(labels).astype(np.float64),
        counts / max(counts.mean(), 1e-9),
    )


def _parts(ranker, inputs):
    """The columns of the regression [B, k], and what is known [B]."""
    ads = inputs["candidate_ads"]
    columns, appeal = [], tf.zeros(tf.shape(ads))
    if ranker.text_matching is not None:
        tower = ranker.ad_tower
        encoded = tower.encode(
            {
                "history": (inputs["history_ads"], tower.history_parts),
                "slate": (ads[:, None], tower.candidate_parts),
            }
        )
        history, slate = encoded["history"], encoded["slate"]
        _, logits = ranker.match_texts(inputs, history, slate)
        columns.append(logits)
        appeal = tf.squeeze(slate["text_appeal"], 1)
    if ranker.rates is not None:
        columns.append(ranker.rates.values(inputs))
    columns.append(tf.ones([tf.size(ads), 1]))
    return tf.concat(columns, axis=-1), appeal
