"""The linear path, before the first step."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tfadrec.core.door import tf
from tfadrec.layers.features.categories_field import CategoriesField
from tfadrec.layers.features.kinds import FIELDS
from tfadrec.layers.features.traits import num_traits
from tfadrec.losses.task_loss import log_odds
from tfadrec.models.ad_ranker import AdRanker
from tfadrec.models.factors import fit_factors
from tfadrec.models.leveled_rows import (
    LeveledRows,
    choose_penalties,
    early_and_late,
    fit_slopes,
)
from tfadrec.models.read_batches import read_batches
from tfadrec.models.term import Term

#: Pulls a weight to where it starts where the rows do not tell it, and leaves
#: the intercept free.
_PULL, _FREE = 1e-3, 1e-9
#: What slopes lean on that is no trait, see `AdRanker.signals`; and factors of
#: ads, which are found of the same rows.
_SIGNALS, _FACTORS = "signals", "factors"
#: How many factors of ads are tried.
_RANKS = (4, 8, 16)
#: Rows at about which penalties are chosen.
_CHOSEN = 2**17


def start_linear(
    ranker: AdRanker, batches: Iterable[tuple[Mapping[str, tf.Tensor], ...]]
) -> tuple[str, ...] | None:
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

    Returns:
      Whose levels and slopes the last quarter of the rows bears out, such as
      `users` and `users by texts`; None where nothing is done.

    Reference:
      Zhang et al., "GLMix: Generalized Linear Mixed Models For Large-Scale
      Response Prediction", KDD 2016, for levels of ads and users in turns.
    """
    found = _fitted(ranker, batches, {})
    if found is None:
        return None
    rows, weights, slopes = found.rows, found.weights, found.slopes
    scale = found.scale.copy()
    matching, rates = ranker.text_matching, ranker.rates
    if matching is not None:
        factor = max(float(weights[0]), 0.0)
        matching.scale_weights(factor)
        # What texts say is given by the weights as they are then.
        scale[0] = scale[0] / factor if factor else 0.0
    if rates is not None:
        rates.factors.assign(weights[-1 - rates.factors.shape[0] : -1])
    loss = ranker.task_losses[ranker.biased_task]
    if loss.start(rows.labels, rows.weights) is not None:
        ranker.heads[ranker.biased_task].start_at(weights[-1:])
    for name, tower in _towers(ranker).items():
        if name in slopes:
            tower.start_biases(slopes[name][:, 0])
    _set_slopes(ranker, found._replace(scale=scale))
    _keep_penalties(ranker, found.penalties)
    return tuple(slopes)


def refit_slopes(
    ranker: AdRanker, batches: Iterable[tuple[Mapping[str, tf.Tensor], ...]]
) -> None:
    """Sets the slopes of a ranker that has some by rows, and nothing else.

    No step learns them, so a ranker that goes on has them worked out again, for
    the users who came since as well. They are held as firmly as at first: what
    the network has learned beside them leans on those that there are.

    Args:
      ranker: as for `start_linear`, but trained. One whose slopes are all zero,
        since they were of no use, keeps them so.
      batches: as for `start_linear`, of all rows.
    """
    if not any(_kept_penalties(ranker).values()):
        return
    found = _fitted(ranker, batches, _kept_penalties(ranker))
    if found is not None:
        _set_slopes(ranker, found)


class _Fit(NamedTuple):
    """What a regression gives, see `fit_slopes`.

    Attributes:
      rows: of the regression.
      scale: of its columns but for the last, as these were.
      penalties: of slopes, by the names of terms.
      weights: of the columns.
      slopes: of ads and users, likewise.
      factors: of ads, or None where no slopes lean on them.
    """

    rows: LeveledRows
    scale: np.ndarray
    penalties: Mapping[str, float]
    weights: np.ndarray
    slopes: Mapping[str, np.ndarray]
    factors: np.ndarray | None


def _towers(ranker):
    return {"ads": ranker.ad_tower, "users": ranker.user_tower}


def _fitted(ranker, batches, kept) -> _Fit | None:
    """What the rows tell; None where there are none.

    `kept` is that of `choose_penalties`.
    """
    if not ranker.task_losses[ranker.biased_task].is_binary:
        return None
    rows, scale = _read(ranker, batches)
    if not rows.weights.sum() > 0:
        return None
    matching, rates = ranker.text_matching, ranker.rates
    start = np.concatenate(
        [
            [] if matching is None else [1.0],
            [] if rates is None else rates.factors.numpy(),
            [log_odds(np.average(rows.labels, weights=rows.weights))],
        ]
    )
    pulls = np.append(np.full(len(start) - 1, _PULL), _FREE)
    by_factors = f"users by {_FACTORS}"
    if set(rows.terms) <= set(kept):
        penalties = {name: penalty for name, penalty in kept.items() if penalty}
        rank = _rank(ranker)
    else:
        penalties, rank = _chosen(ranker, rows, start, pulls, kept)
    factors = None
    if by_factors in penalties:
        factors = _factors(ranker, rows, rank)
    if factors is None:
        penalties.pop(by_factors, None)
    else:
        rows = _by_factors(rows, factors)
    found = fit_slopes(rows, start, pulls, penalties)
    return _Fit(rows, scale, penalties, *found, factors)


def _chosen(ranker, rows, start, pulls, kept) -> tuple[dict[str, float], int]:
    """Penalties of terms, and how many factors ads have."""
    parts = early_and_late(rows)
    early, late = map(_some, parts)
    penalties, least = choose_penalties(early, late, start, pulls, kept)
    by_factors = f"users by {_FACTORS}"
    if by_factors in kept:  # with as many factors, or without
        if kept[by_factors]:
            penalties[by_factors] = kept[by_factors]
        return penalties, _rank(ranker)
    known = {**dict.fromkeys(rows.terms, 0.0), **penalties}
    found = penalties, 0
    for rank in _RANKS:
        # What rows tell of factors, they tell twice: late ones have no part.
        factors = None
        if rank <= ranker.ad_tower.factor_traits:
            factors = _factors(ranker, parts[0], rank)
        if factors is None:
            break
        early, late = (_some(_by_factors(part, factors)) for part in parts)
        tried, lost = choose_penalties(early, late, start, pulls, known)
        if lost < least:
            found, least = (tried, rank), lost
    return found


def _rank(ranker) -> int:
    """How many factors ads have."""
    tower = ranker.ad_tower
    if not tower.factor_traits:
        return 0
    return int(tower.trait_factors.numpy().any(axis=0).sum())


def _keep_penalties(ranker, penalties):
    for name, tower in _towers(ranker).items():
        if tower.slopes is None:
            continue
        held = np.zeros(tower.penalties.shape)
        held[0] = penalties.get(name, 0.0)
        for term, places in _terms_of(ranker, name).items():
            held[1 + places] = penalties.get(term, 0.0)
        tower.penalties.assign(held)
    if ranker.context_slopes is not None:
        held = np.zeros(ranker.slope_penalties.shape)
        for row, feature in enumerate(_with_slopes(ranker)):
            for term, places in _terms_of(ranker, _named(feature)).items():
                held[row, places] = penalties.get(term, 0.0)
        ranker.slope_penalties.assign(held)


def _kept_penalties(ranker) -> dict[str, float]:
    """Of terms that have been chosen from; 0 of those that were of no use."""
    kept = {}
    for name, tower in _towers(ranker).items():
        if tower.slopes is None:
            continue
        held = tower.penalties.numpy()
        kept[name] = float(held[0])
        for term, places in _terms_of(ranker, name).items():
            kept[term] = float(held[1 + places[0]])
    if ranker.context_slopes is not None:
        of_all = ranker.slope_penalties.numpy()
        for feature, held in zip(_with_slopes(ranker), of_all, strict=True):
            for term, places in _terms_of(ranker, _named(feature)).items():
                kept[term] = float(held[places[0]])
    return kept


def _named(feature) -> str:
    """How a feature of users or of the context is called in terms."""
    return f"feature {feature['name']}"


def _factors(ranker, rows: LeveledRows, rank: int) -> np.ndarray | None:
    """Factors of ads, of the deviation 1 over rows, float64 [N, K]."""
    users, ads = rows.terms["users"].keys, rows.terms["ads"].keys
    known = (users > 0) & (ads > 0)
    labels = rows.labels[known]
    # Rows that stand for unlike counts of others tell none.
    found = np.ptp(rows.weights) == 0 and fit_factors(
        *(users[known], ads[known], labels.astype(np.int64)),
        *(np.array([0.0, 1.0]), ranker.ad_tower.num_rows, rank),
        to_the_end=True,
    )
    if not found:
        return None
    size = found.factors[ads].std()
    return found.factors / size if size > 0 else None


def _by_factors(rows: LeveledRows, factors: np.ndarray) -> LeveledRows:
    """The same rows, whose users have slopes of factors as well."""
    users, values = rows.terms["users"], factors[rows.terms["ads"].keys]
    term = users._replace(values=values.astype(np.float32))
    terms = {**rows.terms, f"users by {_FACTORS}": term}
    return dataclasses.replace(rows, terms=terms)


def _set_slopes(ranker, found: _Fit):
    if found.factors is not None:
        table = np.zeros(ranker.ad_tower.trait_factors.shape)
        table[:, : found.factors.shape[1]] = found.factors
        ranker.ad_tower.trait_factors.assign(table)
    for name, tower in _towers(ranker).items():
        if tower.slopes is None:
            continue
        table = np.zeros(tower.slopes.shape)
        for term, places in _terms_of(ranker, name).items():
            if term in found.slopes:
                is_scaled = term.endswith(f" by {_SIGNALS}")
                scale = found.scale if is_scaled else 1.0
                slopes = found.slopes[term] * scale
                table[:, places[: slopes.shape[1]]] = slopes
        tower.slopes.assign(table)
    if ranker.context_slopes is not None:
        ranker.context_slopes.start(_axes(ranker, found.slopes))


def _axes(ranker, slopes) -> dict[str, np.ndarray]:
    """Slopes of features of users and the context, [codes or 1, S] by name."""
    axes = {}
    for feature in _with_slopes(ranker):
        is_number = FIELDS[feature["kind"]].is_scalar
        codes = 1 if is_number else num_traits(feature) + 1
        axes[feature["name"]] = axis = np.zeros([codes, ranker.num_slopes])
        for term, places in _terms_of(ranker, _named(feature)).items():
            if term in slopes:
                axis[:, places] = slopes[term][-codes:]
    return axes


def _terms_of(ranker, name) -> dict[str, np.ndarray]:
    """The terms of slopes of ads, users or a feature, and their places."""
    groups = _groups(ranker)
    if name == "ads":
        groups = {n: p for n, p in groups.items() if n == _SIGNALS}
    elif name != "users":
        others = (_SIGNALS, _FACTORS)
        groups = {n: p for n, p in groups.items() if n not in others}
    return {f"{name} by {group}": places for group, places in groups.items()}


def _groups(ranker) -> dict[str, np.ndarray]:
    """Which slopes are held alike: name -> their places, of users or ads."""
    tower = ranker.ad_tower
    rates = 0 if ranker.rates is None else ranker.rates.factors.shape[0]
    signals = rates + (ranker.text_matching is not None)
    groups = {_SIGNALS: np.arange(signals)}
    if tower.traits is not None:
        groups |= {
            f"feature {name}": signals + places
            for name, places in tower.traits.places().items()
        }
    first = signals + tower.num_traits
    groups["texts"] = first + np.arange(tower.text_traits)
    first += tower.text_traits
    groups[_FACTORS] = first + np.arange(tower.factor_traits)
    return {name: places for name, places in groups.items() if len(places)}


def _some(rows: LeveledRows) -> LeveledRows:
    """Rows of whole users, or every so many, by which penalties are chosen."""
    every = -(-len(rows.labels) // _CHOSEN)
    users = rows.terms.get("users")
    keys = np.arange(len(rows.labels)) if users is None else users.keys
    return rows.take(np.flatnonzero(keys % every == 0))


def _read(ranker, batches) -> tuple[LeveledRows, np.ndarray]:
    """What the linear path adds up, of all rows, and the scale of its columns.

    Columns that slopes lean on are of the deviation 1: one penalty suits all.
    """
    kept: dict[str, list[np.ndarray]] = {}
    read = read_batches(lambda inputs: _parts(ranker, inputs), batches)
    for parts, (inputs, targets, *given) in read:
        labels = np.asarray(targets[ranker.biased_task])
        of_rows = {name: part.numpy() for name, part in parts.items()}
        of_rows |= {"ads": inputs["candidate_ads"].numpy(), "labels": labels}
        of_rows["counts"] = (
            np.asarray(given[0]) if given else np.ones(labels.shape)
        )
        if ranker.user_tower.reads_rows:
            of_rows["users"] = inputs["user_id"].numpy()
        for feature in _with_slopes(ranker):
            of_rows[_named(feature)] = inputs[feature["name"]].numpy()
            kind = FIELDS[feature["kind"]]
            if issubclass(kind, CategoriesField):
                shares, _ = kind.shares(feature, inputs)
                of_rows[f"shares of {_named(feature)}"] = shares.numpy()
        for name, part in of_rows.items():
            kept.setdefault(name, []).append(part)
    of = {name: np.concatenate(kept.pop(name)) for name in list(kept)}
    columns = of["columns"].astype(np.float64)
    deviations = columns[:, :-1].std(axis=0)
    scale = 1 / np.where(deviations > 0, deviations, 1.0)
    signals = (columns[:, :-1] * scale).astype(np.float32)
    counts = of["counts"].astype(np.float64)
    rows = LeveledRows(
        columns,
        of["appeal"].astype(np.float64),
        _terms(ranker, of, signals),
        of["labels"].astype(np.float64),
        counts / max(counts.mean(), 1e-9),
    )
    return rows, scale


def _with_slopes(ranker) -> list[Mapping[str, Any]]:
    """Features of users and the context that have slopes."""
    given = ranker.context_slopes
    return [] if given is None else given.features


def _terms(ranker, of, signals) -> dict[str, Term]:
    """Whose slopes lean on what, and levels, which come first.

    What features tell comes before what users do: it is true of new ones too.
    """
    tower, ones = ranker.ad_tower, np.ones([len(signals), 1], np.float32)
    told = np.concatenate([signals, of["traits"]], axis=1)
    terms = {}
    if tower.use_id:
        terms["ads"] = Term(of["ads"], tower.num_rows, ones)
    if "users" in of:
        users, num_users = of["users"], ranker.user_tower.num_users
        terms["users"] = Term(users, num_users, ones)
    for feature in _with_slopes(ranker):
        keys, size = of[_named(feature)], num_traits(feature) + 1
        values, shares = told, of.get(f"shares of {_named(feature)}")
        if FIELDS[feature["kind"]].is_scalar:  # of all rows, as it is large
            values = told * np.nan_to_num(keys)[:, None]
            keys = np.ones(len(keys), np.int32)
        for name, places in _terms_of(ranker, _named(feature)).items():
            terms[name] = Term(keys, size, values[:, places], shares)
    if "users" in of and ranker.user_tower.slopes is not None:
        for name, places in _terms_of(ranker, "users").items():
            if name != f"users by {_FACTORS}":  # which are not known yet
                terms[name] = Term(users, num_users, told[:, places])
    if tower.slopes is not None:
        ads = of["ads"]
        terms[f"ads by {_SIGNALS}"] = Term(ads, tower.num_rows, signals)
    return terms


def _parts(ranker, inputs):
    """Of rows the columns [B, k], what is known [B], and traits [B, S]."""
    ads, tower = inputs["candidate_ads"], ranker.ad_tower
    encoded = tower.encode(
        {
            "history": (inputs["history_ads"], tower.history_parts),
            "slate": (ads[:, None], tower.candidate_parts),
        }
    )
    columns, appeal = [], tf.zeros(tf.shape(ads))
    if ranker.text_matching is not None:
        history, slate = encoded["history"], encoded["slate"]
        _, logits = ranker.match_texts(inputs, history, slate)
        columns.append(logits)
        appeal = tf.squeeze(slate["text_appeal"], 1)
    if ranker.rates is not None:
        columns.append(ranker.rates.values(inputs))
    columns.append(tf.ones([tf.size(ads), 1]))
    traits = encoded["slate"].get("ad_traits", tf.zeros([tf.size(ads), 1, 0]))
    return {
        "columns": tf.concat(columns, axis=-1),
        "appeal": appeal,
        "traits": tf.squeeze(traits, 1),
    }
