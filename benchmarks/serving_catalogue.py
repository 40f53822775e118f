"""What a large catalogue costs to export, to load and to recommend from.

    python benchmarks/serving_catalogue.py \
        [ADS] [WORLD] [FOUND_BY] [USERS] [CANDIDATES] [FOLDER] \
        [--interests K] [--codes BYTES]

A ranker with a DIN, ids, a brand, a price and a vector of 64 floats per ad, in
one of two worlds. `random`: all features, histories and weights are drawn at
random. `tastes`: ads lie around 300 centres, users like three of these, click
by that and by the ad's worth to anybody, and the ranker has learned from their
clicks.

FOUND_BY says what finds the candidates of `recommend`: `anchors` (what the
ranker says of some ads, see `serving.learn_anchors`), `clicks` (a retriever
that has learned from the clicks), `distilled` (one that imitates the ranker, as
`tfadrec train` makes it with `distil`), or `all` (nothing: all ads are ranked).

Where FOLDER is given, it keeps the models, which are not trained again, the
bundles in `FOLDER/FOUND_BY`, and requests of users of whom nothing has learned.
What `catalogue_answers.py` says of them follows.
Latencies in TensorFlow's C library are those of `export --check native`.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import unittest.mock

import numpy as np
from machine import describe

_MILLION = 1_000_000
_VECTOR, _WIDTH, _LENGTH, _CENTRES = 64, 32, 50, 300
_LEARNED, _TESTED, _EACH, _SEED = 2000, 200, 100, 0
_CANDIDATES = 2000
_BATCH, _STEPS = 512, 400


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    scratch = tempfile.TemporaryDirectory()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (
        ("ads", _MILLION),
        ("world", "random"),
        ("found_by", "anchors"),
        ("users", _TESTED),
        ("candidates", _CANDIDATES),
        ("folder", scratch.name),
    ):
        kind = type(default)
        parser.add_argument(name, nargs="?", type=kind, default=default)
    parser.add_argument("--interests", type=int, default=2)
    parser.add_argument("--codes", type=int)
    options = parser.parse_args()
    ads, world, found_by = options.ads, options.world, options.found_by
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
    folder = pathlib.Path(options.folder)
    folder.mkdir(exist_ok=True)
    ranker = _ranker(learned)
    weights = folder / "ranker.weights.h5"
    if weights.exists():
        ranker.load_weights(weights)
    elif world == "random":
        _draw_weights(ranker)
    else:
        _learn(ranker, learned)
    ranker.save_weights(weights)
    retriever = None
    if found_by in ("clicks", "distilled"):
        retriever = _retriever(learned, options.interests)
        retriever.build()
        weights = folder / f"{found_by}-{options.interests}.weights.h5"
        if weights.exists():
            retriever.load_weights(weights)
        elif found_by == "clicks":
            _learn_clicks(retriever, learned)
        else:
            _imitate(retriever, ranker, learned)
        retriever.save_weights(weights)
    print(f"{options}; before the export {_peak():.1f} GB", flush=True)
    _export(ranker, learned, folder / found_by, retriever, options)
    user = serving.replay(tested, np.arange(_TESTED) * _EACH)
    del user["candidate_ads"]
    plain = {k: _plain(v) for k, v in user.items()}
    ids = _plain(dataset.catalogue.ad_ids)
    np.savez(folder / "request.npz", all_ads=ids, **plain)
    del dataset, learned, tested, ranker, retriever
    script = pathlib.Path(__file__).with_name("catalogue_answers.py")
    subprocess.run(
        [sys.executable, script, folder, found_by, str(options.users)],
        check=True,
    )


def _export(ranker, learned, folder, retriever, options) -> None:
    from tfadrec import serving
    from tfadrec.serving import finder, ranking_service

    begun = time.perf_counter(), time.process_time()
    with (
        _timed(ranking_service, "learn_anchors"),
        _timed(finder, "build_index"),
    ):
        bundle = serving.export_bundle(
            ranker,
            learned,
            folder,
            native=True,
            retriever=retriever,
            distilled=folder.name == "distilled",
            candidates=options.candidates,
            codes=options.codes,
            anchors=learned if folder.name == "anchors" else None,
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


@contextlib.contextmanager
def _timed(module, name):
    """Prints what a function of a module takes when the export calls it."""
    function = getattr(module, name)

    def call(*args, **kwargs):
        begun = time.perf_counter(), time.process_time()
        found = function(*args, **kwargs)
        print(
            f"{name}: {time.perf_counter() - begun[0]:.0f} s, processor "
            f"{time.process_time() - begun[1]:.0f} s",
            flush=True,
        )
        return found

    with unittest.mock.patch.object(module, name, call):
        yield


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


def _retriever(learned, interests):
    from tfadrec import models

    return models.AdRetriever.for_dataset(
        learned, ad_tower={"width": _WIDTH}, interests=interests
    )


def _learn_clicks(retriever, learned) -> None:
    from tfadrec import optimizers

    retriever.compile(optimizers.LazyAdam(0.002))
    retriever.fit(
        learned.batches(_BATCH, seed=0), steps_per_epoch=_STEPS, verbose=0
    )


def _imitate(retriever, ranker, learned) -> None:
    """With the settings that `distil` has by itself."""
    from tfadrec import optimizers
    from tfadrec.core.door import keras
    from tfadrec.training.by_size import batch_size_for
    from tfadrec.training.distillation import Distillation
    from tfadrec.training.retriever_run import IMITATED_EPOCHS

    begun = time.process_time()
    rows = Distillation.of(ranker, learned, _LEARNED)
    ranked = time.process_time() - begun
    size, epochs = batch_size_for(len(rows)), IMITATED_EPOCHS
    steps = len(rows) // size
    rate = keras.optimizers.schedules.PolynomialDecay(
        0.004, steps * epochs, 0.0
    )
    retriever.compile(optimizers.LazyAdam(rate))
    retriever.fit(
        rows.batches(size, seed=_SEED, first_step=0),
        steps_per_epoch=steps,
        epochs=epochs,
        verbose=0,
    )
    print(
        f"distilled, processor {time.process_time() - begun:.0f} s, of these "
        f"ranking {ranked:.0f} s",
        flush=True,
    )


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
