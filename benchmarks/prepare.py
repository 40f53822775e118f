"""How long `prepare table` takes on a million rows, and how fast they batch.

    python benchmarks/prepare.py                # this checkout
    python benchmarks/prepare.py OTHER          # beside another checkout of it

Made-up impressions and events, as many of each, and 100,000 ads. `plain` is a
configuration that version 0.1.0 reads as well: a category and a number of ads
and of the context. It also makes events of the ads that were not clicked, which
0.1.0 did not: `no skips` leaves them out, so that both write the same log. `all
kinds` adds features of every kind to every entity, `all, no skips` without
those events. Processor seconds of whole processes, with what they import, in
turn, and how many times those of the first way of the same round they are. Each
writes to a folder of its own, which is not there yet.
"""

import pathlib
import shutil
import sys
import tempfile

import numpy as np
from machine import describe, run_in, spread

ROWS, ADS, USERS = 1_000_000, 100_000, 100_000
_ROUNDS = 3
_SEED = 0
_NO_SKIPS = ("event_type: kind", "event_type: kind, skipped: false")
_PLAIN = """
name: made
ads: {file: ads.parquet, ad_id: ad, title: title, categorical: [brand],
  numeric: [price]}
events: {file: events.parquet, user_id: user, ad_id: ad, timestamp: time,
  event_type: kind}
impressions: {file: rows.parquet, user_id: user, ad_id: ad, timestamp: time,
  clicked: clicked, categorical: [device], numeric: [hour]}
"""
_ALL = """
name: made
ads: {file: ads.parquet, ad_id: ad, title: title, features: {
  brand: {kind: category, buckets: 1000}, price: {kind: number, log1p: true},
  level: {kind: number, column: price, buckets: 10},
  words: {kind: categories, separator: "|"}, image: vector,
  brand and level: {kind: cross, of: [brand, level]}}}
users: {file: users.parquet, user_id: user, features: {age: number,
  likes: {kind: categories, weighted: true, separator: "|", share: words},
  clicks: {kind: lookup, of: brand, separator: "|"}}}
events: {file: events.parquet, user_id: user, ad_id: ad, timestamp: time,
  event_type: kind, features: {dwell: {kind: number, log1p: true}}}
impressions: {file: rows.parquet, user_id: user, ad_id: ad, timestamp: time,
  clicked: clicked, features: {device: category, hour: number},
  candidate_features: {bid: number, place: category,
  taste: {kind: overlap, of: [likes, words]}}}
"""
_CONFIGS = {
    "no skips": _PLAIN.replace(*_NO_SKIPS),
    "plain": _PLAIN,
    "all, no skips": _ALL.replace(*_NO_SKIPS),
    "all kinds": _ALL,
}
_PREPARE = """
import json, resource, subprocess, sys
command = [sys.executable, "-m", "tfadrec", "prepare", "table"]
given = ["--config", sys.argv[1], "--out", sys.argv[2]]
subprocess.run([*command, *given], stdout=subprocess.DEVNULL, check=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps(usage.ru_utime + usage.ru_stime))
"""
_BATCHES = """
import json, sys, time
import tfadrec
from tfadrec import data
dataset = data.open_dataset(sys.argv[1])
batches = iter(dataset.batches(4096, seed=0))
for _ in range(5): next(batches)
begun = time.process_time()
for _ in range(100): next(batches)
print(json.dumps(100 / (time.process_time() - begun)))
"""


def main() -> None:
    here = pathlib.Path(__file__).parents[1]
    checkouts = {"this": here}
    ways = [("this", name) for name in _CONFIGS]
    # Batches of the same log alone are compared.
    batched = [("this", "no skips")]
    if len(sys.argv) > 1:
        checkouts["other"] = pathlib.Path(sys.argv[1]).absolute()
        ways = [("other", "plain"), *ways]
        batched = [("other", "plain"), *batched]
    print(describe())
    print("Median (smallest to largest); processor time.")
    seconds: dict[tuple[str, str], list[float]] = {w: [] for w in ways}
    rates: dict[tuple[str, str], list[float]] = {w: [] for w in batched}
    with tempfile.TemporaryDirectory() as folder:
        _write(pathlib.Path(folder))
        for _ in range(_ROUNDS):
            for name, config in ways:
                out = pathlib.Path(folder, f"{name} {config}")
                shutil.rmtree(out, ignore_errors=True)
                file = pathlib.Path(folder, f"{config}.yaml")
                took = run_in(checkouts[name], _PREPARE, file, out)
                seconds[name, config].append(took)
            for name, config in batched:
                out = pathlib.Path(folder, f"{name} {config}")
                rates[name, config].append(
                    run_in(checkouts[name], _BATCHES, out)
                )
            print(seconds, rates, file=sys.stderr, flush=True)
    for what, unit, found in (
        ("prepare", "s", seconds),
        ("batches", "batches/s", rates),
    ):
        first = next(iter(found.values()))
        for (name, config), values in found.items():
            times = np.divide(values, first).tolist()
            print(
                f"{what}, {name} checkout, {config:13} "
                f"{spread(values, f' {unit}')}, {spread(times, ' times')}"
            )


def _write(folder: pathlib.Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(_SEED)

    def texts(letter, count, size):
        names = np.array([f"{letter}{n}" for n in range(count)], object)
        return names[random.integers(0, count, size)]

    def lists(count, size, ending=""):
        names = np.array([f"w{n}{ending}" for n in range(count)], object)
        picked = names[random.integers(0, count, (size, 3))]
        return ["|".join(row) for row in picked]

    tables = {
        "ads": {
            "ad": np.arange(ADS),
            "title": texts("title ", 5000, ADS),
            "brand": texts("b", 500, ADS),
            "price": random.lognormal(size=ADS),
            "words": lists(300, ADS),
            "image": list(random.normal(size=(ADS, 8)).astype(np.float32)),
        },
        "users": {
            "user": np.arange(USERS),
            "age": random.integers(15, 90, USERS),
            "likes": lists(300, USERS, ":2"),
            "clicks": lists(300, USERS, ":3"),
        },
        "events": {
            "user": random.integers(0, USERS, ROWS),
            "ad": random.integers(0, ADS, ROWS),
            "time": random.integers(10**9, 2 * 10**9, ROWS),
            "kind": texts("k", 3, ROWS),
            "dwell": random.integers(0, 500, ROWS),
        },
        "rows": {
            "user": random.integers(0, USERS, ROWS),
            "ad": random.integers(0, ADS, ROWS),
            "time": random.integers(10**9, 2 * 10**9, ROWS),
            "clicked": (random.random(ROWS) < 0.1).astype(np.int8),
            "device": texts("d", 20, ROWS),
            "hour": random.integers(0, 24, ROWS),
            "bid": random.lognormal(size=ROWS),
            "place": random.integers(0, 10, ROWS),
        },
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    for name, text in _CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)


if __name__ == "__main__":
    main()
