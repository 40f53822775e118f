"""How fast a ranker trains on requests, against the same rows one by one.

    python benchmarks/by_request.py [DIN] [Transformer] ...

Made-up ids, all histories full, T = 50. A step has 1,000 rows either way: 1,000
rows with a user's side each, or requests of C ads whose user's side is worked
out once. Steps are fed by `Dataset.batches`. The ways take turns.
"""

import os
import sys
import time

import numpy as np
from machine import describe, spread

USERS, ADS, EVENTS = 10_000, 10_000, 50
_ROWS = 1_000
_SIZES = (1, 10, 50)
_ENCODERS = ("DIN", "TargetAttention", "Transformer", "GRU")
_STEPS, _ROUNDS = 20, 5
_SEED = 0


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    print(describe())
    print("Median (smallest to largest), rows per processor second.")
    for name in sys.argv[1:] or _ENCODERS:
        _compare(name)


def _compare(name: str) -> None:
    for size in _SIZES:
        dataset = _dataset(size)
        ways = {"row": _ROWS, "request": _ROWS // size}
        steps = {
            by: _step(name, dataset, by, count) for by, count in ways.items()
        }
        rates: dict[str, list[float]] = {by: [] for by in ways}
        for _ in range(_ROUNDS):
            for by, step in steps.items():
                begun = time.process_time()
                for _ in range(_STEPS):
                    step()
                seconds = time.process_time() - begun
                rates[by].append(_STEPS * _ROWS / seconds)
        for by, values in rates.items():
            print(f"{name}, {size:2} ads, by {by:8} {spread(values)}")
        ratios = np.array(rates["request"]) / np.array(rates["row"])
        print(f"{name}, {size:2} ads, ratio       {spread(ratios.tolist())}")


def _dataset(size: int):
    """Requests of `size` ads, each with a history of 50 events."""
    from tfadrec.core.schema import Schema
    from tfadrec.data import Catalogue, Dataset, EventLog, Impressions

    random = np.random.default_rng(_SEED)
    rows = _ROWS * 8
    requests = np.repeat(np.arange(rows // size), size)
    users = np.repeat(
        random.integers(1, USERS + 1, rows // size, dtype=np.int32), size
    )
    starts = (users.astype(np.int64) - 1) * EVENTS
    return Dataset(
        schema=Schema("made", "int64", "int64", ("click",)),
        catalogue=Catalogue(
            ad_ids=np.arange(ADS),
            titles=[""] * ADS,
            descriptions=[""] * ADS,
            tags=[[]] * ADS,
        ),
        user_ids=np.arange(USERS),
        users={},
        events=EventLog(
            users=np.repeat(np.arange(1, USERS + 1, dtype=np.int32), EVENTS),
            ads=random.integers(1, ADS + 1, USERS * EVENTS, dtype=np.int32),
            types=np.ones(USERS * EVENTS, np.int32),
            times=np.zeros(USERS * EVENTS, np.int64),
        ),
        impressions=Impressions(
            requests=requests,
            users=users,
            ads=random.integers(1, ADS + 1, rows, dtype=np.int32),
            times=np.full(rows, 1_000_000),
            labels={"clicked": (random.random(rows) < 0.2).astype(np.float32)},
            columns={},
            history_starts=starts,
            history_ends=starts + EVENTS,
        ),
        history_length=EVENTS,
    )


def _step(name: str, dataset, by: str, batch_size: int):
    """A function that trains on the next batch."""
    from tfadrec import layers, models, optimizers

    ranker = models.AdRanker.for_dataset(
        dataset,
        getattr(layers, name)(),
        hidden_units=(256, 128, 64),
    )
    ranker.compile(optimizers.LazyAdam(1e-3))
    batches = iter(dataset.batches(batch_size, by=by, seed=_SEED))
    train = ranker.make_train_function()
    for _ in range(3):
        train(batches)
    return lambda: train(batches)


if __name__ == "__main__":
    main()
