"""Levels and factors of ads, before the first step, and their mix, after it."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.logistic import fit_weights
from tfadrec.layers.fold_in import PARTS, FoldIn
from tfadrec.models.ad_ranker import AdRanker
from tfadrec.models.factors import LEVEL_PENALTY, Factors, fit_factors
from tfadrec.models.opinions import CLICKED, FIRST_TYPE, UNCLICKED
from tfadrec.models.read_batches import read_batches
from tfadrec.models.text_units import text_axes, text_units
from tfadrec.towers import AdTower

#: A part that differs less between rows tells nothing.
_SAME = 1e-6
#: Rows of each label for a weight of the mix, at least (Peduzzi et al., 1996).
_EVENTS = 10
#: Users by whom a mix is judged, at least, and in how many parts.
_USERS, _FOLDS = 20, 5
#: Pulls on a weight that is found, and on one that stays at 0.
_FREE, _HELD = 1e-6, 1e9
#: How far a level is looked for, and how often that is halved.
_FAR, _HALVINGS = 5.0, 24


def start_factors(
    ranker: AdRanker,
    users: np.ndarray,
    ads: np.ndarray,
    times: np.ndarray,
    labels: np.ndarray,
    codes: np.ndarray,
) -> None:
    """Sets what a ranker's `FoldIn` reads to what training rows tell.

    A ranker that has factors keeps the penalty that they were found with: to
    find the best one takes four times as long as to work the factors out again.

    Args:
      ranker: built, with a `fold_in`. Where its logit is of a task with real
        labels, or all rows are worth the same, nothing is done.
      users: int [n]; rows of unlike numbers are of different users.
      ads: int32 [n], rows of the catalogue.
      times: int64 [n].
      labels: [n], 0 and 1.
      codes: int64 [n], as from `opinions`.
    """
    if not ranker.task_losses[ranker.biased_task].is_binary:
        return
    layer = ranker.fold_in
    assert layer is not None
    count = FIRST_TYPE + layer.num_event_types - 1
    clicked = np.bincount(codes, labels, count)
    rates = clicked / np.maximum(np.bincount(codes, minlength=count), 1)
    order = np.argsort(times, kind="stable")
    tower, width = ranker.ad_tower, layer.text_rank
    penalty = None
    if tower.factors.numpy()[:, 1 : 1 + layer.rank].any():
        penalty = float(layer.penalties[2])
    found = fit_factors(
        *(users[order], ads[order], codes[order]),
        *(rates, tower.num_rows, layer.rank),
        penalty=penalty,
    )
    if found is None:
        return
    tower.factors.assign(
        np.column_stack(
            [found.levels, found.factors, _directions(tower, width)]
        )
    )
    layer.values.assign(
        _of_types(found, np.bincount(codes, minlength=count), layer.skipped)
    )
    penalties = np.full(2 + layer.num_factors, LEVEL_PENALTY)
    penalties[2 : 2 + layer.rank] = found.penalty
    layer.penalties.assign(penalties)


def _directions(tower: AdTower, width: int) -> np.ndarray:
    """Of ads' texts the parts in which they differ most, [N, width]."""
    if not width or tower.text_space is None:
        return np.zeros([tower.num_rows, width], np.float32)
    axes = text_axes(tower, width)
    told = [u @ axes for u in text_units(tower, np.arange(tower.num_rows))]
    return np.concatenate(told)


def _of_types(found: Factors, rows: np.ndarray, skipped: int) -> np.ndarray:
    """What the types of events are worth, that of the unknown first: 0.

    A type that no impression has had is worth a click, and that of skipped ads
    none.
    """
    values = np.append(0.0, found.values[FIRST_TYPE:])
    is_unseen = np.append(False, rows[FIRST_TYPE:] == 0)
    values[is_unseen] = found.values[CLICKED]
    if skipped and is_unseen[skipped]:
        values[skipped] = found.values[UNCLICKED]
    return values


def mix_opinions(
    ranker: AdRanker,
    batches: Callable[[], Iterable[tuple[Mapping[str, tf.Tensor], ...]]],
    labels: np.ndarray,
    weights: np.ndarray | None,
    users: np.ndarray,
    better: Callable[[np.ndarray, np.ndarray], bool],
) -> bool:
    """Finds how much head, linear path and opinions of a trained ranker count.

    That is a logistic regression on rows that were not learned: a head + b path
    + weights . parts + level. Nothing counts against a candidate: what would
    have a negative weight is left out. As far as it tells users by whom it was
    not found, it takes the place of the mix that there is: on four fifths of
    the users it is found, and what the others gain in likelihood, five times,
    is summed up. Of a gain of z standard errors, where users are drawn, the
    share 1 - 1 / z^2 of the way is taken, and none where z is below 1. Rows of
    one user are told alike, so a thousand rows of ten users say little. First
    it is a scale and a level for what there is, by which nothing is ranked
    otherwise, and then the mix, where it ranks the rows better. Rows of fewer
    than 20 users, or of which fewer than 70 are clicked, or not, tell nothing:
    all stays what it was.

    Args:
      ranker: trained, with a `fold_in`.
      batches: of these rows, as from `Dataset.batches`, anew at each call.
      labels: [n], 0 and 1, of `biased_task`.
      weights: [n] >= 0, how many rows each stands for, or None.
      users: int [n]; rows of unlike numbers are of different users.
      better: whether logits are better than others, both float [n].

    Returns:
      Whether another mix is kept.

    Reference:
      Breiman, "Better Subset Regression Using the Nonnegative Garrote",
      Technometrics 1995, for the share; Peduzzi et al., "A Simulation Study of
      the Number of Events per Variable in Logistic Regression Analysis",
      Journal of Clinical Epidemiology 1996, for how many rows.
    """
    layer = ranker.fold_in
    assert layer is not None
    counts = np.ones(len(labels)) if weights is None else weights
    events = min(counts @ labels, counts @ (1 - labels))
    numbers, whose = np.unique(users, return_inverse=True)
    if events < _EVENTS * (2 + len(PARTS)) or len(numbers) < _USERS:
        return False
    task = ranker.biased_task
    before = layer.mix.numpy()
    unmixed = np.zeros(3 + len(PARTS))
    logits = []
    for both in ([1, 0], [1, 1]):  # the head alone, and with the path
        unmixed[:2] = both
        layer.mix.assign(unmixed)
        logits.append(ranker.predict(batches())[task].astype(np.float64))
    learned, own = logits
    read = read_batches(lambda inputs: _opinions(ranker, inputs), batches())
    told = np.concatenate([part.numpy() for part, _ in read]).astype(np.float64)
    level = np.ones(len(own))
    columns = np.column_stack([learned, own - learned, told, level])
    present = columns @ before

    alone = np.column_stack([present, level])
    ends = np.eye(len(before))[-1]

    def scaled(rows):
        """The same order: of what there is, a scale and a level."""
        given = alone[rows], labels[rows], counts[rows]
        scale, shift = fit_weights(*given, np.array([1.0, 0.0]), _FREE)
        return scale * before + shift * ends if scale > 0 else before

    def mixed(rows):
        return _mixed(columns[rows], labels[rows], counts[rows], unmixed)

    folds, gains = whose % _FOLDS, np.zeros([2, len(own)])
    for fold in range(_FOLDS):
        rows, others = folds != fold, folds == fold
        likely = [
            _log_likelihoods(columns[others] @ way, labels[others])
            for way in (before, scaled(rows), mixed(rows))
        ]
        gains[:, others] = np.diff(likely, axis=0)
    shares = [_share(np.bincount(whose, counts * g)) for g in gains]
    scale, found = scaled(slice(None)), mixed(slice(None))
    mix = before + shares[0] * (scale - before)
    other = mix + shares[1] * (found - mix)
    if shares[1] and found[:2].any() and better(columns @ other, present):
        mix = other
    layer.mix.assign(mix)
    return bool((mix != before).any())


def _share(gains: np.ndarray) -> float:
    """How much of what brings users these gains is taken."""
    gain, error = gains.sum(), np.sqrt(gains @ gains)
    return 1 - (error / gain) ** 2 if gain > error else 0.0


def shift_level(
    layer: FoldIn,
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    read: Callable[[np.ndarray], np.ndarray],
) -> None:
    """Moves the level of a mix to where as many clicks are predicted as seen.

    Fewer than ten clicks, or rows without one, tell no level: it stays what it
    was, as it does where no shift by less than five is enough.

    Args:
      layer: of a trained ranker.
      logits: float [n], as the ranker gives them.
      labels: [n], in [0, 1].
      weights: [n] >= 0, how many rows each stands for, or None.
      read: what logits are read as, in their order, float [n].
    """
    counts = np.ones(len(labels)) if weights is None else weights
    if min(counts @ labels, counts @ (1 - labels)) < _EVENTS:
        return

    def is_too_high(level: float) -> bool:
        z = np.asarray(read(logits + np.float32(level)), np.float64)
        return counts @ (np.exp(-np.logaddexp(0.0, -z)) - labels) > 0

    low, high = -_FAR, _FAR
    if is_too_high(low) or not is_too_high(high):
        return
    for _ in range(_HALVINGS):
        level = (low + high) / 2
        if is_too_high(level):
            high = level
        else:
            low = level
    mix = layer.mix.numpy()
    mix[-1] += (low + high) / 2
    layer.mix.assign(mix)


def _mixed(columns, labels, counts, start) -> np.ndarray:
    """Weights of columns, none of them below 0 but for the level, the last."""
    is_told = columns.std(axis=0) >= _SAME
    is_told[-1] = True

    def fitted():
        pulls = np.where(is_told, _FREE, _HELD)
        begin = np.where(is_told, start, 0.0)
        found = fit_weights(columns, labels, counts, begin, pulls)
        return np.where(is_told, found, 0.0)

    mix = fitted()
    while mix[:-1].min() < 0:
        is_told[int(np.argmin(mix[:-1]))] = False
        mix = fitted()
    return mix


def _opinions(ranker, inputs):
    tower = ranker.ad_tower
    encoded = tower.encode(
        {
            "history": (inputs["history_ads"], ["factors"]),
            "slate": (inputs["candidate_ads"][:, None], ["factors"]),
        }
    )
    told = ranker.opinions(inputs, encoded["history"], encoded["slate"])
    return tf.squeeze(told, 1)


def _log_likelihoods(logits, labels) -> np.ndarray:
    return -np.logaddexp(0.0, np.where(labels == 1, -logits, logits))
