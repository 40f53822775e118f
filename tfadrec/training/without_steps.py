"""What a ranker learns without steps: before the first one, and at the end."""

import sys
from collections.abc import Sequence

import numpy as np

from tfadrec.calibration import Calibration
from tfadrec.core.blocks import blocks
from tfadrec.data.dataset import Dataset
from tfadrec.data.impressions import Impressions
from tfadrec.layers.fold_in import PARTS
from tfadrec.metrics import ranking
from tfadrec.models import AdRanker, RankingModel
from tfadrec.models.opinions import opinions
from tfadrec.models.start_appeal import start_appeal
from tfadrec.models.start_factors import (
    mix_opinions,
    shift_level,
    start_factors,
)
from tfadrec.models.start_levels import start_levels
from tfadrec.models.start_linear import refit_slopes, start_linear
from tfadrec.models.start_traits import start_traits

#: Rows that are predicted at once.
PREDICT_BATCH = 4096
#: Rows at about which the linear path is fitted.
_FITTED = 2**20
#: Rows at about which the texts of one user's ads are compared.
_COMPARED = 2**17
#: Rows at about which factors of ads are found.
_FACTORISED = 2**20
#: Rows at about which the mix of opinions is found.
_MIXED = 2**20
#: Of labels of 0 and 1, logits and the rows that these are of.
METRICS = {
    "auc": lambda y, z, rows: ranking.auc(y, z, rows.weights),
    "gauc": lambda y, z, rows: ranking.group_auc(
        y, z, rows.users, rows.weights
    ),
    "uauc": lambda y, z, rows: ranking.uauc(y, z, rows.users, rows.weights),
    "log_loss": lambda y, z, rows: ranking.log_loss(y, z, rows.weights),
}


def start(model: RankingModel, train: Dataset, progress: bool) -> None:
    """Has a ranker begin with what is known of training rows at once."""
    if not isinstance(model, AdRanker):
        return
    rows = train.impressions
    start_levels(model, rows.labels, rows.weights)
    _set_factors(model, train)
    if model.text_matching is not None:
        users, kept = _some_users(rows, _COMPARED)
        rows = rows.take(kept)
        start_appeal(
            model,
            rows.ads,
            users,
            rows.times,
            rows.labels[model.biased_task],
            np.ones(len(kept)) if rows.weights is None else rows.weights,
        )
    start_traits(model, train.impressions.ads, train.impressions.weights)
    found = start_linear(model, _some_batches(train))
    if progress and found is not None:
        print(f"begins with {_told(found, train)}", file=sys.stderr, flush=True)


def _told(found: Sequence[str], train: Dataset) -> str:
    """Whose levels and slopes there are, in the names of features."""
    names = {feature.tensor: feature.name for feature in train.schema.features}
    slopes = []
    for term in found:
        both = [t.removeprefix("feature ") for t in term.split(" by ")]
        if len(both) > 1:
            slopes.append(" by ".join(names.get(t, t) for t in both))
    parts = {"levels": set(found) & {"ads", "users"}, "slopes": slopes}
    return " and ".join(
        f"{kind} of {', '.join(sorted(some))}" if some else f"no {kind}"
        for kind, some in parts.items()
    )


def refit(model: AdRanker, train: Dataset) -> None:
    """Sets what no step learns to what training rows tell, where there is any.

    That is levels and factors of ads, and slopes: a ranker that goes on has
    them worked out again.

    Args:
      model: built.
      train: all rows that it has learned, and is to learn.
    """
    _set_factors(model, train)
    refit_slopes(model, _some_batches(train))


def set_level(
    model: AdRanker,
    rows: Dataset,
    calibration: Calibration | None = None,
    like: AdRanker | None = None,
) -> None:
    """Sets the level of a ranker's logit to what rows tell.

    Steps move the level of head and linear path, and not that of their mix with
    opinions, which was found before them. Where neither the loss nor a mix
    fixes a level, or too few rows are clicked or not, it stays what it was.

    Args:
      model: trained, or gone on with.
      rows: the newest; learned ones may be among them.
      calibration: what the logit is read through, if anything.
      like: whose clicks of these rows count, as it predicts them, in place of
        those that there were.
    """
    layer, task = model.fold_in, model.biased_task
    loss = model.task_losses[task]
    if layer is None or not (
        loss.is_binary and (loss.is_calibrated or layer.is_mixed)
    ):
        return
    _, kept = _some_users(rows.impressions, _MIXED)
    rows = rows.select(kept)

    def predicted(ranker: AdRanker) -> np.ndarray:
        return ranker.predict(rows.batches(PREDICT_BATCH))[task]

    def read(logits: np.ndarray) -> np.ndarray:
        if calibration is None:
            return logits
        return calibration.of_rows({task: logits}, rows)[task]

    shown = rows.impressions
    labels = shown.labels[task]
    if like is not None:
        labels = ranking.sigmoid(predicted(like).astype(np.float64))
    shift_level(layer, predicted(model), labels, shown.weights, read)


def _some_users(rows: Impressions, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole users with about so many rows: their numbers, and those rows."""
    n = len(rows.users)
    every = -(-n // count)
    found = []
    for block in blocks(n):
        part = np.arange(block.start, block.stop)
        users = rows.take(part).people  # and these are numbered without gaps
        kept = users % every == 0
        found.append((users[kept], part[kept]))
    users, kept = map(np.concatenate, zip(*found, strict=True))
    return users, kept


def _set_factors(model: AdRanker, train: Dataset) -> None:
    if model.fold_in is None:
        return
    users, kept = _some_users(train.impressions, _FACTORISED)
    rows, events = train.impressions.take(kept), train.events
    labels = rows.labels[model.biased_task]
    codes = opinions(
        (rows.users, rows.ads, rows.times),
        labels,
        (events.users, events.ads, events.types, events.times),
    )
    start_factors(model, users, rows.ads, rows.times, labels, codes)


def _some_batches(train: Dataset):
    """Batches of training rows in the order of their times.

    Rows of one time come by chance: a log without times may be in the order of
    its users, and then late rows would be those of others than early ones.
    """
    _, kept = _some_users(train.impressions, _FITTED)
    kept = np.random.default_rng(0).permutation(kept)
    times = train.impressions.times[kept]
    kept = kept[np.argsort(times, kind="stable")]
    return train.select(kept).batches(PREDICT_BATCH)


def mix(
    model: RankingModel, valid: Dataset, monitor: str, progress: bool
) -> None:
    """Mixes a trained ranker's logit of its parts, where that tells more."""
    if not isinstance(model, AdRanker) or model.fold_in is None:
        return
    if not model.task_losses[model.biased_task].is_binary or not len(valid):
        return
    users, kept = _some_users(valid.impressions, _MIXED)
    valid = valid.select(kept)
    rows = valid.impressions
    labels = rows.labels[model.biased_task]
    # Where amounts are monitored, clicks are of a task beside them.
    name = monitor.removeprefix("val_")
    measure = METRICS.get(name, METRICS["auc"])
    sign = -1 if name == "log_loss" else 1

    def better(mixed: np.ndarray, own: np.ndarray) -> bool:
        gain = measure(labels, mixed, rows) - measure(labels, own, rows)
        return sign * gain > 0

    is_mixed = mix_opinions(
        model,
        lambda: valid.batches(PREDICT_BATCH),
        labels,
        rows.weights,
        users,
        better,
    )
    if progress:
        told = ", ".join(f"{part:.3f}" for part in model.fold_in.mix.numpy())
        names = ", ".join(("network", "linear", *PARTS, "level"))
        line = f"{names}: {told}"
        if not is_mixed:
            line = "no better mix was found"
        print(f"opinions: {line}", file=sys.stderr, flush=True)
