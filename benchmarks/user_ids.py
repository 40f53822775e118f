"""What a ranker learns of users by their ids, in tables of several sizes.

    python benchmarks/user_ids.py [T ...]

MovieLens-100K without ad copy and fold-in, two epochs, one seed; histories of
20 events, and of none, where a user is known by features and id alone. Each
user's newest tenth of rows validates, so that its users have been met.
"""

import sys
import tempfile
import time

import numpy as np
from machine import describe

from tfadrec import data, training
from tfadrec.core.config import RunConfig

_SEED, _EPOCHS, _BATCH, _STEPS = 0, 2, 512, 100
_LENGTHS = (20, 0)
#: Of 943 users, a tenth and half, as far as eight ways go into it.
_SIZES = {"a tenth": 96, "half": 472}
_TABLES = {
    "a row for each": {},
    "no ids": {"use_id": False},
    **{
        f"{name}, {size}": {"ids": ids}
        for size, rows in _SIZES.items()
        for name, ids in {
            "hashed": {"class": "HashedIdEmbedding", "buckets": rows},
            "dynamic": {"class": "DynamicIdEmbedding", "capacity": rows},
            "dynamic from 20 on": {
                "class": "DynamicIdEmbedding",
                "capacity": rows,
                "admission": 20,
            },
        }.items()
    },
}


def main() -> None:
    print(describe(), flush=True)
    log = data.load("movielens-100k")
    is_new = _newest_tenth(log.impressions)
    for length in map(int, sys.argv[1:] or _LENGTHS):
        read = log.with_history_length(length)
        train, valid = read.select(~is_new), read.select(is_new)
        print(f"T = {length}: {len(train):,} rows, {len(valid):,} to validate")
        for name in _TABLES:
            _fit(name, train, valid)


def _newest_tenth(rows) -> np.ndarray:
    order = np.lexsort((rows.times, rows.users))
    users = rows.users[order]
    starts = np.searchsorted(users, users)
    sizes = np.searchsorted(users, users, side="right") - starts
    is_new = np.zeros(len(users), bool)
    is_new[order] = np.arange(len(users)) - starts >= 0.9 * sizes
    return is_new


def _fit(name, train, valid) -> None:
    settings = RunConfig(text=None, fold_in=None, user_tower=_TABLES[name])
    with tempfile.TemporaryDirectory() as folder:
        ranker = training.build_ranker(settings, train, _SEED)
        history = training.fit(
            ranker,
            train,
            valid,
            folder,
            batch_size=_BATCH,
            seed=_SEED,
            epochs=_EPOCHS,
            progress=False,
        )
    told = "  ".join(f"{epoch['val_auc']:.4f}" for epoch in history)
    batches = iter(train.batches(_BATCH, seed=_SEED))
    step = ranker.make_train_function()
    step(batches)
    begun = time.process_time()
    for _ in range(_STEPS):
        step(batches)
    each = 1000 * (time.process_time() - begun) / _STEPS
    print(f"{name:27} AUC {told}  {each:.1f} ms a step", flush=True)


if __name__ == "__main__":
    main()
