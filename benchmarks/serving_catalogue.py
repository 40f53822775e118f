"""What a large catalogue costs to export, to load and to recommend from.

    python benchmarks/serving_catalogue.py [ADS] [TAUGHT]

A ranker with a DIN, ids, a brand, a price and a vector of 64 floats per ad; its
weights are random, which changes no time. The bundle is read back in a process
that has TensorFlow alone. There the ten best ads of some users are compared
with a sort of the whole catalogue's scores from `score_slate`. Latencies in
TensorFlow's C library are those of `export --check native`.

With TAUGHT, a retriever learns to imitate the ranker from so many rows, by
`training.distillation`, and finds the candidates of `recommend`; the users that
are compared are others.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
from machine import describe, spread

_MILLION = 1_000_000
_VECTOR, _WIDTH, _LENGTH, _BEST = 64, 32, 50, 10
_USERS, _ROWS, _CALLS, _SEED = 1000, 2000, 5, 0
_COMPARED, _CANDIDATES, _BATCH, _EPOCHS = 10, 500, 64, 20

_CHILD = """
import json, re, sys, time
import numpy as np
import tensorflow as tf

folder, calls = sys.argv[1], int(sys.argv[2])

def peak():  # GB, of this process; rusage would have its parent's
    status = open("/proc/self/status").read()
    return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1e6

base = peak()
with np.load(sys.argv[3]) as file:
    users = dict(file)
ids = users.pop("all_ads")
user = {k: v[:1] for k, v in users.items()}
start = time.perf_counter()
bundle = tf.saved_model.load(folder)
load = time.perf_counter() - start

def ask(name, **request):
    signature = bundle.signatures[name]
    specs = signature.structured_input_signature[1]
    found = signature(**{
        k: tf.constant(v.tolist(), specs[k].dtype, v.shape)
        for k, v in request.items()
    })
    return {k: v.numpy() for k, v in found.items()}

def timed(name, **request):
    took = []
    for _ in range(calls + 1):
        start = time.perf_counter()
        answer = ask(name, **request)
        took.append(time.perf_counter() - start)
    return answer, took[1:]

choice = dict(
    exclude_ads=ids[None, :0], exclude_history=np.array([False]),
    k=np.array([10]),
)
_, recommend = timed("recommend", **user, **choice)
slate = ids[None, :500]
_, listed = timed(
    "recommend_from", **user, **choice, candidate_ads=slate,
    bids=np.ones([1, 500]),
)
_, scored = timed("score_slate", **user, candidate_ads=slate)
overlaps = []
for number in range(len(users["user_id"])):
    one = {k: v[number:number + 1] for k, v in users.items()}
    scores = np.concatenate([
        ask("score_slate", **one, candidate_ads=part[None])["score"][0]
        for part in np.array_split(ids, -(-len(ids) // 20000))
    ])
    found = [v.decode() for v in ask("recommend", **one, **choice)["ad_ids"][0]]
    least = np.sort(scores)[-10] * (1 - 1e-5)
    overlaps.append(float(np.mean(np.isin(found, ids[scores >= least]))))
print(json.dumps(dict(
    load=load, recommend=recommend, recommend_from=listed, score_slate=scored,
    overlap=sum(overlaps) / len(overlaps), base=base, peak=peak(),
)))
"""


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    ads = int(sys.argv[1]) if len(sys.argv) > 1 else _MILLION
    print(describe(), flush=True)
    from tfadrec import serving
    from tfadrec.core.door import keras

    keras.utils.set_random_seed(_SEED)
    dataset = _dataset(ads)
    ranker = _ranker(dataset)
    taught = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    retriever = _retriever(ranker, dataset, taught) if taught else None
    print(f"{ads:,} ads; before the export {_peak():.1f} GB", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        bundle = serving.export_bundle(
            ranker,
            dataset,
            f"{folder}/catalogue",
            native=True,
            retriever=retriever,
            candidates=_CANDIDATES,
        )
        took = time.perf_counter() - start
        size = sum(p.stat().st_size for p in bundle.rglob("*") if p.is_file())
        pb = (bundle / "saved_model.pb").stat().st_size
        print(
            f"export {took:.0f} s, peak {_peak():.1f} GB; bundle "
            f"{size / 1e6:,.0f} MB, its graph {pb / 1e6:,.0f} MB",
            flush=True,
        )
        request = pathlib.Path(folder, "request.npz")
        _print_native(bundle)
        user = serving.replay(dataset, np.arange(_ROWS - _COMPARED, _ROWS))
        del user["candidate_ads"]
        plain = {k: _plain(v) for k, v in user.items()}
        np.savez(request, all_ads=_plain(dataset.catalogue.ad_ids), **plain)
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, bundle, str(_CALLS), request],
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"load {found['load']:.1f} s; peak {found['peak']:.1f} GB, of which "
        f"TensorFlow {found['base']:.1f} GB"
    )
    for name in ("recommend", "recommend_from", "score_slate"):
        milliseconds = [1000 * seconds for seconds in found[name]]
        print(f"{name}: {spread(milliseconds, ' ms')}")
    print(
        f"the share of the ten best of a sort that `recommend` has, of "
        f"{_COMPARED} users: {found['overlap']:.3f}"
    )


def _print_native(bundle: pathlib.Path) -> None:
    told = json.loads((bundle / "native.json").read_text())
    print(
        f"C library: load {told['load_seconds']:.1f} s, peak "
        f"{told['peak_megabytes']:,.0f} MB"
    )
    for request in told["requests"]:
        if request["signature"] in ("recommend", "retrieve"):
            one = request["threads"]["1"]
            print(
                f"C library, {request['signature']}: p50 {one['p50_ms']:.1f} "
                f"ms, p99 {one['p99_ms']:.1f} ms",
                flush=True,
            )


def _retriever(ranker, dataset, taught: int):
    """Imitates the ranker on the first rows; the last are compared."""
    from tfadrec import models, optimizers
    from tfadrec.training.distillation import Distillation

    begun = time.process_time()
    learned = dataset.select(np.arange(_ROWS - _COMPARED))
    ranked = Distillation.of(ranker, learned, taught)
    print(
        f"ranked for {taught} rows: processor "
        f"{time.process_time() - begun:.0f} s",
        flush=True,
    )
    retriever = models.AdRetriever.for_dataset(
        learned, ad_tower={"width": _WIDTH}
    )
    retriever.compile(optimizers.LazyAdam(0.003))
    before = ranked.overlap(retriever)
    retriever.fit(
        ranked.batches(_BATCH, seed=0, first_step=0),
        steps_per_epoch=max(1, taught // _BATCH),
        epochs=_EPOCHS,
        verbose=0,
    )
    print(
        f"taught: processor {time.process_time() - begun:.0f} s; overlap@10 "
        f"on its own rows {before:.3f} before, {ranked.overlap(retriever):.3f} "
        "after",
        flush=True,
    )
    return retriever


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype == object else values


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _dataset(ads: int):
    from tfadrec import data
    from tfadrec.core.feature import Feature
    from tfadrec.core.schema import Schema

    random = np.random.default_rng(_SEED)
    brands = tuple(f"brand-{n}" for n in range(1000))
    schema = Schema(
        "synthetic",
        "string",
        "string",
        ("view", "click"),
        features=(
            Feature("brand", "ad", "category", vocabulary=brands),
            Feature("price", "ad", "number", mean=50.0, std=10.0),
            Feature("image", "ad", "vector", width=_VECTOR),
        ),
    )
    empty = [""] * ads
    catalogue = data.Catalogue(
        ad_ids=np.array([f"ad-{n:09}" for n in range(ads)], object),
        titles=empty,
        descriptions=empty,
        tags=[()] * ads,
        features=schema.features,
        columns={
            "brand": random.integers(0, 1001, ads, dtype=np.int32),
            "price": random.normal(size=ads).astype(np.float32),
            "image": random.standard_normal((ads, _VECTOR), np.float32),
        },
    )
    events = _USERS * _LENGTH
    users = np.repeat(np.arange(1, _USERS + 1), _LENGTH).astype(np.int32)
    log = data.EventLog(
        users=users,
        ads=random.integers(1, ads + 1, events, dtype=np.int32),
        types=random.integers(1, 3, events, dtype=np.int32),
        times=np.tile(np.arange(_LENGTH), _USERS),
    )
    shown = np.arange(_ROWS) % _USERS
    rows = data.Impressions(
        requests=np.arange(_ROWS),
        users=(shown + 1).astype(np.int32),
        ads=random.integers(1, ads + 1, _ROWS, dtype=np.int32),
        times=np.full(_ROWS, _LENGTH),
        labels={"clicked": random.integers(0, 2, _ROWS).astype(np.float32)},
        columns={},
        history_starts=shown * _LENGTH,
        history_ends=(shown + 1) * _LENGTH,
        splits=None,
    )
    ids = np.array([f"user-{n:04}" for n in range(_USERS)], object)
    return data.Dataset(schema, catalogue, ids, {}, log, rows, _LENGTH)


def _ranker(dataset):
    from tfadrec import layers, models, towers

    ranker = models.AdRanker(
        towers.AdTower(dataset.catalogue, _WIDTH),
        towers.UserTower(layers.DIN(), num_event_types=3, num_users=_USERS + 1),
        layers.AttentionMatching(),
    )
    ranker.build()
    random = np.random.default_rng(_SEED)
    for variable in ranker.trainable_variables:
        noise = random.standard_normal(variable.shape, np.float32)
        variable.assign(0.1 * noise)
    return ranker


if __name__ == "__main__":
    main()
