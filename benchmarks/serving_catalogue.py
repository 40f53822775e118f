"""What a large catalogue costs to export, to load and to recommend from.

    python benchmarks/serving_catalogue.py \
        [ADS] [WORLD] [FOUND_BY] [USERS] [CANDIDATES]

A ranker with a DIN, ids, a brand, a price and a vector of 64 floats per ad, in
one of two worlds. `random`: all features, histories and weights are drawn at
random. `tastes`: ads lie around 300 centres, users like three of these, click
by that and by the ad's worth to anybody, and the ranker has learned from their
clicks.

FOUND_BY says what finds the candidates of `recommend`: `anchors` (what the
ranker says of some ads, see `serving.learn_anchors`), `clicks` (a retriever
that has learned from the clicks), or `all` (nothing: all ads are ranked).

The bundle is read back in a process that has TensorFlow alone. There the ten
best ads of USERS users, of whom neither has learned, are compared with a sort
of the whole catalogue's scores from `score_slate`, and the 100 ads that
`retrieve` gives with those of all lists of the index. Latencies in TensorFlow's
C library are those of `export --check native`.
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
_VECTOR, _WIDTH, _LENGTH, _CENTRES = 64, 32, 50, 300
_LEARNED, _TESTED, _EACH, _CALLS, _SEED = 2000, 200, 100, 100, 0
_CANDIDATES = 2000
_BATCH, _STEPS = 512, 400

_CHILD = """
import json, re, sys, time
import numpy as np
import tensorflow as tf

folder, calls = sys.argv[1], int(sys.argv[2])

def memory(what):  # GB, of this process; rusage would have its parent's
    status = open("/proc/self/status").read()
    return int(re.search(what + r":\\s+(\\d+)", status)[1]) / 1e6

base = memory("VmRSS")
with np.load(sys.argv[3]) as file:
    users = dict(file)
ids = users.pop("all_ads")
start = time.perf_counter()
bundle = tf.saved_model.load(folder)
load = time.perf_counter() - start
loaded = memory("VmRSS") - base
count = len(users["user_id"])

def tensors(name, request):
    specs = bundle.signatures[name].structured_input_signature[1]
    return {
        k: tf.constant(v.tolist(), specs[k].dtype, v.shape)
        for k, v in request.items()
    }

def user(number):
    return {k: v[number:number + 1] for k, v in users.items()}

def choice(k):
    return dict(
        exclude_ads=ids[None, :0], exclude_history=np.array([False]),
        k=np.array([k]),
    )

def timed(name, more):
    requests = [tensors(name, user(n % count) | more) for n in range(calls)]
    ask = bundle.signatures[name]
    ask(**requests[0])
    wall, used = [], []
    for request in requests:
        begun = time.perf_counter(), time.process_time()
        ask(**request)
        wall.append(time.perf_counter() - begun[0])
        used.append(time.process_time() - begun[1])
    return [
        [1000 * float(x) for x in np.percentile(took, (50, 99))]
        for took in (wall, used)
    ]

told = dict(load=load, loaded=loaded)
slate = ids[None, :500]
told["recommend"] = timed("recommend", choice(10))
told["score_slate"] = timed("score_slate", dict(candidate_ads=slate))
told["recommend_from"] = timed("recommend_from", dict(
    **choice(10), candidate_ads=slate, bids=np.ones([1, 500])))
if "retrieve" in bundle.signatures:
    told["retrieve"] = timed("retrieve", choice(100))
    ask = bundle.signatures["retrieve"]
    requests = [
        tensors("retrieve", user(n) | choice(100)) for n in range(count)
    ]
    found = [ask(**request)["ad_ids"].numpy()[0] for request in requests]
    probes = bundle.finder.index._probes
    learned = probes.numpy()
    probes.assign(10**6)
    best = [ask(**request)["ad_ids"].numpy()[0] for request in requests]
    probes.assign(learned)
    told["recall"] = float(np.mean([
        np.isin(b, f).mean() for b, f in zip(best, found)]))
ask, score = (bundle.signatures[n] for n in ("recommend", "score_slate"))
parts = [
    tensors("score_slate", dict(candidate_ads=part[None]))
    for part in np.array_split(ids, -(-len(ids) // 20000))
]
overlaps = []
for number in range(count):
    one = tensors("score_slate", user(number))
    logits = np.concatenate([
        score(**one, **part)["logits"].numpy()[0] for part in parts
    ])
    found = ask(**tensors("recommend", user(number) | choice(10)))["ad_ids"]
    found = [v.decode() for v in found.numpy()[0]]
    least = np.sort(logits)[-10]
    least -= 1e-5 * max(1, abs(least))
    overlaps.append(float(np.mean(np.isin(found, ids[logits >= least]))))
    if number % 20 == 19:
        print(f"{number + 1} users: {np.mean(overlaps):.4f}", file=sys.stderr,
              flush=True)
told["overlaps"] = overlaps
told["peak"] = memory("VmHWM")
print(json.dumps(told))
"""


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    arguments = dict(enumerate(sys.argv))
    ads = int(arguments.get(1, _MILLION))
    world = arguments.get(2, "random")
    found_by = arguments.get(3, "anchors")
    users = int(arguments.get(4, _TESTED))
    candidates = int(arguments.get(5, _CANDIDATES))
    print(describe(), flush=True)
    from tfadrec import serving
    from tfadrec.core.door import keras

    keras.utils.set_random_seed(_SEED)
    dataset = _dataset(ads, world)
    learned, tested = (
        dataset.select(np.flatnonzero(part))
        for part in (
            dataset.impressions.users <= _LEARNED,
            dataset.impressions.users > _LEARNED,
        )
    )
    ranker = _ranker(learned)
    if world == "random":
        _draw_weights(ranker)
    else:
        _learn(ranker, learned)
    retriever = _retriever(learned) if found_by == "clicks" else None
    print(
        f"{ads:,} ads, {world}, {candidates} candidates found by {found_by}; "
        f"before the export {_peak():.1f} GB",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter(), time.process_time()
        bundle = serving.export_bundle(
            ranker,
            tested,
            f"{folder}/catalogue",
            native=True,
            retriever=retriever,
            candidates=candidates,
            anchors=learned if found_by == "anchors" else None,
        )
        took = time.perf_counter() - begun[0]
        used = time.process_time() - begun[1]
        size = sum(p.stat().st_size for p in bundle.rglob("*") if p.is_file())
        pb = (bundle / "saved_model.pb").stat().st_size
        print(
            f"export {took:.0f} s, processor {used:.0f} s, peak {_peak():.1f} "
            f"GB; bundle {size / 1e6:,.0f} MB, its graph {pb / 1e6:,.0f} MB",
            flush=True,
        )
        _print_native(bundle)
        request = pathlib.Path(folder, "request.npz")
        user = serving.replay(tested, np.arange(users) * _EACH)
        del user["candidate_ads"]
        plain = {k: _plain(v) for k, v in user.items()}
        np.savez(request, all_ads=_plain(dataset.catalogue.ad_ids), **plain)
        del dataset, learned, tested, ranker, retriever
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, bundle, str(_CALLS), request],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    _print_told(json.loads(done.stdout.splitlines()[-1]))


def _print_told(told) -> None:
    print(
        f"load {told['load']:.1f} s; {told['loaded']:.2f} GB more memory; peak "
        f"{told['peak']:.1f} GB"
    )
    for name in ("recommend", "retrieve", "recommend_from", "score_slate"):
        if name in told:
            wall, used = told[name]
            print(
                f"{name}: p50 {wall[0]:.1f} ms, p99 {wall[1]:.1f} ms; of "
                f"processor time {used[0]:.1f} and {used[1]:.1f} ms"
            )
    if "recall" in told:
        print(f"recall@100 of the index: {told['recall']:.4f}")
    overlaps = told["overlaps"]
    print(
        f"the share of the ten best of a sort that `recommend` has, of "
        f"{len(overlaps)} users: {spread(overlaps)}, mean "
        f"{np.mean(overlaps):.4f}"
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


def _learn(ranker, learned) -> None:
    from tfadrec import optimizers

    begun = time.process_time()
    ranker.compile(optimizers.LazyAdam(0.002))
    told = ranker.fit(
        learned.batches(_BATCH, seed=0), steps_per_epoch=_STEPS, verbose=0
    )
    print(
        f"ranker: {told.history}, processor {time.process_time() - begun:.0f}",
        flush=True,
    )


def _retriever(learned):
    """Learns from clicks alone."""
    from tfadrec import models, optimizers

    retriever = models.AdRetriever.for_dataset(
        learned, ad_tower={"width": _WIDTH}
    )
    retriever.compile(optimizers.LazyAdam(0.002))
    retriever.fit(
        learned.batches(_BATCH, seed=0), steps_per_epoch=_STEPS, verbose=0
    )
    return retriever


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype == object else values


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _dataset(ads: int, world: str):
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
    users = _LEARNED + _TESTED
    if world == "random":
        made = _random_world(random, ads, users)
    else:
        made = _world_of_tastes(random, ads, users)
    columns, history, shown, clicked = made
    empty = [""] * ads
    catalogue = data.Catalogue(
        ad_ids=np.array([f"ad-{n:09}" for n in range(ads)], object),
        titles=empty,
        descriptions=empty,
        tags=[()] * ads,
        features=schema.features,
        columns=columns,
    )
    log = data.EventLog(
        users=np.repeat(np.arange(1, users + 1), _LENGTH).astype(np.int32),
        ads=history.ravel(),
        types=random.integers(1, 3, history.size, dtype=np.int32),
        times=np.tile(np.arange(_LENGTH), users),
    )
    who = np.repeat(np.arange(users), _EACH)
    rows = data.Impressions(
        requests=np.arange(len(who)),
        users=(who + 1).astype(np.int32),
        ads=shown.ravel(),
        times=np.full(len(who), _LENGTH),
        labels={"clicked": clicked.ravel().astype(np.float32)},
        columns={},
        history_starts=who * _LENGTH,
        history_ends=(who + 1) * _LENGTH,
        splits=None,
    )
    ids = np.array([f"user-{n:04}" for n in range(users)], object)
    return data.Dataset(schema, catalogue, ids, {}, log, rows, _LENGTH)


def _random_world(random, ads: int, users: int):
    """Columns of ads, and by user the ads of events and rows, and clicks."""
    columns = {
        "brand": random.integers(0, 1001, ads, dtype=np.int32),
        "price": random.normal(size=ads).astype(np.float32),
        "image": random.standard_normal((ads, _VECTOR), np.float32),
    }
    history = random.integers(1, ads + 1, (users, _LENGTH), dtype=np.int32)
    shown = random.integers(1, ads + 1, (users, _EACH), dtype=np.int32)
    return columns, history, shown, random.integers(0, 2, shown.shape)


def _world_of_tastes(random, ads: int, users: int):
    """The same, where users like some of the ads' centres."""
    centre = random.integers(0, _CENTRES, ads)
    centres = random.standard_normal((_CENTRES, _VECTOR), np.float32)
    images = centres[centre]
    images += 0.7 * random.standard_normal(images.shape, np.float32)
    price = random.normal(size=ads).astype(np.float32)
    brand = 1 + (3 * centre + random.integers(0, 3, ads)) % 1000
    columns = {
        "brand": brand.astype(np.int32),
        "price": price,
        "image": images,
    }
    by_centre = np.argsort(centre, kind="stable")
    starts = np.searchsorted(centre[by_centre], np.arange(_CENTRES + 1))
    liked = random.integers(0, _CENTRES, (users, 3))

    def of(chosen):  # an ad of each chosen centre
        first, last = starts[chosen], starts[chosen + 1]
        return by_centre[
            first
            + random.integers(0, 1 << 30, first.shape)
            % (np.maximum(last - first, 1))
        ]

    history = of(
        np.take_along_axis(liked, random.integers(0, 3, (users, _LENGTH)), 1)
    )
    shown = random.integers(0, ads, (users, _EACH))
    half = of(
        np.take_along_axis(liked, random.integers(0, 3, (users, _EACH)), 1)
    )
    shown = np.where(random.random(shown.shape) < 0.3, half, shown)
    fits = (centre[shown][..., None] == liked[:, None]).any(-1)
    logits = -2.0 + 3.0 * fits - 0.7 * price[shown]
    clicked = random.random(shown.shape) < 1 / (1 + np.exp(-logits))
    return (
        columns,
        (1 + history).astype(np.int32),
        (1 + shown).astype(np.int32),
        clicked,
    )


def _ranker(dataset):
    from tfadrec import layers, models, towers

    ranker = models.AdRanker(
        towers.AdTower(dataset.catalogue, _WIDTH),
        towers.UserTower(
            layers.DIN(),
            num_event_types=3,
            num_users=len(dataset.user_ids) + 1,
        ),
        layers.AttentionMatching(),
    )
    ranker.build()
    return ranker


def _draw_weights(ranker) -> None:
    random = np.random.default_rng(_SEED)
    for variable in ranker.trainable_variables:
        noise = random.standard_normal(variable.shape, np.float32)
        variable.assign(0.1 * noise)


if __name__ == "__main__":
    main()
