"""Skipped ads and rates on MovieLens-100K, on validation rows, one seed.

    python benchmarks/signals.py [NAME ...]

Without ad copy, T = 20, 3 epochs: small enough to compare many settings. In
`five stars` a click is a rating of five stars, which is one rating in five.
"""

import dataclasses
import sys
import tempfile
import time

import numpy as np
from machine import describe

from tfadrec import data, training
from tfadrec.core.config import RunConfig
from tfadrec.core.feature import Feature
from tfadrec.data.features import as_of
from tfadrec.ops import sequence

_SEED, _EPOCHS, _LENGTH = 0, 3, 20
_RATES = {
    "ad_rate": ("rate", ["ad_id"], 0),
    "user_rate": ("rate", ["user_id"], 0),
    "ad_shown": ("count", ["ad_id"], 0),
    "user_shown": ("count", ["user_id"], 0),
}
_MORE = {
    "ad_recent": ("rate", ["ad_id"], 14),
    "user_recent": ("rate", ["user_id"], 1),
    "ad_by_occupation": ("rate", ["ad_id", "occupation"], 0),
    "ad_by_gender": ("rate", ["ad_id", "gender"], 0),
}


def main() -> None:
    print(describe())
    log = data.load("movielens-100k").with_history_length(_LENGTH)
    stars = dict.fromkeys(("rating_4", "rating_5"))
    runs = {
        "five types": lambda: log,
        "clicks": lambda: _typed(log, stars, skipped=False),
        "clicks and skipped": lambda: _typed(log, stars),
        "four rates and counts": lambda: _counted(log, _RATES),
        "eight rates and counts": lambda: _counted(log, _RATES | _MORE),
        "five stars, clicks": lambda: _typed(log, ["rating_5"], skipped=False),
        "five stars, and skipped": lambda: _typed(log, ["rating_5"]),
        "five stars, a quarter": lambda: _typed(log, ["rating_5"]),
        "five stars, any number": lambda: _typed(log, ["rating_5"]),
    }
    shares = {"five stars, a quarter": 0.25, "five stars, any number": 1.0}
    for name in sys.argv[1:] or runs:
        sequence.MOST_SKIPPED = shares.get(name, 0.5)
        _fit(name, runs[name]())


def _typed(log, clicks, *, skipped=True):
    """The log with clicks of some ratings, and the others as skipped."""
    events, rows = log.events, log.impressions
    types = np.array(["", *log.schema.event_types])
    is_click = np.isin(types[events.types], list(clicks))
    kept = is_click | skipped
    before = np.append(0, np.cumsum(kept))
    # An impression's own rating is the one event of its user and film.
    pairs = events.users.astype(np.int64) * 10**6 + events.ads
    order = np.argsort(pairs)
    own = rows.users.astype(np.int64) * 10**6 + rows.ads
    labels = is_click[order][np.searchsorted(pairs[order], own)]
    return dataclasses.replace(
        log,
        schema=dataclasses.replace(
            log.schema, event_types=("click", "skipped")[: 1 + skipped]
        ),
        events=dataclasses.replace(
            events,
            users=events.users[kept],
            ads=events.ads[kept],
            types=np.where(is_click, 1, 2).astype(np.int32)[kept],
            times=events.times[kept],
        ),
        impressions=dataclasses.replace(
            rows,
            labels={"clicked": labels.astype(np.float32)},
            history_starts=before[rows.history_starts],
            history_ends=before[rows.history_ends],
        ),
    )


def _counted(log, specs):
    """The log with rates and counts, as `prepare` would work them out."""
    rows = log.impressions
    columns, features = dict(rows.columns), []
    codes = {"ad_id": rows.ads, "user_id": rows.users}
    codes |= {name: values[rows.users] for name, values in log.users.items()}
    ones = np.ones(len(rows.ads))
    counts = (rows.times, rows.times, rows.labels["clicked"], ones)
    rate = as_of.rate_of(*as_of.counts_as_of(ones.astype(np.int64), *counts))
    for name, (kind, key, days) in specs.items():
        groups = as_of.group_of([codes[part] for part in key])
        found = as_of.counts_as_of(groups, *counts, days)
        values = as_of.values_of(kind, *found, rate, 10.0)
        columns[name] = values.astype(np.float32)
        features.append(
            Feature(name, "candidate", kind, tensor=name, column=name)
        )
    return dataclasses.replace(
        log,
        schema=dataclasses.replace(
            log.schema, features=(*log.schema.features, *features)
        ),
        impressions=dataclasses.replace(rows, columns=columns),
    )


def _fit(name, log):
    train, valid, _ = data.split_by_time(log)
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        ranker = training.build_ranker(RunConfig(text=None), train, _SEED)
        history = training.fit(
            ranker,
            train,
            valid,
            folder,
            seed=_SEED,
            epochs=_EPOCHS,
            progress=False,
        )
    best = max(history, key=lambda epoch: epoch["val_auc"])
    values = "  ".join(f"{k} {v:.4f}" for k, v in best.items())
    print(f"{name:24} {values}  {time.process_time() - begun:.0f} s")


if __name__ == "__main__":
    main()
