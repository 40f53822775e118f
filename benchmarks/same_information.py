"""The default ranker beside DeepCTR's DIN and LightGBM, which read the same.

    pip install --no-deps deepctr==0.9.4 lightgbm
    python benchmarks/sample_users.py examples/online_retail.yaml 0.06 sample
    tfadrec prepare table --config sample/online_retail.yaml --out data/sample
    python benchmarks/same_information.py data/sample --seeds 3

All read the ids, the ad copy by MiniLM, the categories, numbers, rates and
counts of users, ads and requests, and the newest 50 events with their types.
DeepCTR's DIN has the 64 main directions of the text vectors as embeddings of
candidate and history, and the mean of what is embedded of a list of categories
and of events' types; it has no place for ages. LightGBM has them all as
columns: how like the ad's text is to the history's, and to that of each type of
event, where the ad itself stands in it, ages, shares of types in all of the
history, counts and rates of training rows, ids, and the main directions of both
texts. Of each, the validation rows choose the epoch or the trees.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time

import numpy as np
from machine import describe

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import data, evaluation, training
from tfadrec.core.config import RunConfig

_BATCH, _EPOCHS, _PATIENCE, _RATE = 512, 5, 2, 1e-3
_DIRECTIONS = 64
#: Of these, what trees read.
_READ = 16
#: Of a list of categories, the values that trees read.
_READ_OF_A_LIST = 100
_FOLDS = 5
#: Columns of `_design`.
_IDS, _RATES = [0, 1], [2, 3, 4, 5]
_METRICS = ("auc", "gauc", "uauc", "log_loss")
_CONTENDERS = ("ranker", "DeepCTR DIN", "LightGBM")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", help="a folder that `prepare` wrote")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--rows",
        choices=("valid", "test"),
        default="valid",
        help="which rows are measured",
    )
    parser.add_argument("--contend", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contend:
        name, seed = arguments.contend.rsplit(":", 1)
        dataset = data.open_dataset(arguments.dataset)
        dataset = training.with_text(dataset, RunConfig().text)
        train, valid, test = data.split_by_time(dataset)
        rows = valid if arguments.rows == "valid" else test
        print(json.dumps(_contend(name, int(seed), train, valid, rows)))
        return
    print(describe())
    jobs = ["baselines:0"]
    jobs += [f"{n}:{s}" for s in range(arguments.seeds) for n in _CONTENDERS]
    for job in jobs:
        command = [sys.executable, __file__, arguments.dataset]
        command += [f"--rows={arguments.rows}", f"--contend={job}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        for line in done.stdout.decode().splitlines():
            print(f"{job}: {line}", flush=True)


def _contend(name: str, seed: int, train, valid, rows):
    """Metrics on the rows."""
    if name == "baselines":
        baselines = evaluation.evaluate_baselines(train, rows)
        return {name: _told(found) for name, found in baselines.items()}
    begun = time.process_time()
    contend = {
        "ranker": _ranker,
        "DeepCTR DIN": _deepctr,
        "LightGBM": _lightgbm,
    }[name]
    logits = contend(seed, train, valid, rows)
    found = {"rows": len(rows), "seconds": round(time.process_time() - begun)}
    for way, scores in logits.items():
        measured = evaluation.measure({"clicked": scores}, rows, train=train)
        found[way] = _told(measured)
    return found


def _told(measured):
    found = measured.to_dict()
    metrics = found["metrics"]["clicked"]
    cold = found["slices"]["cold_ads"]["clicked"]
    return {
        **{name: round(metrics[name], 4) for name in _METRICS},
        "cold_auc": cold["auc"] and round(cold["auc"], 4),
        "cold_rows": cold["count"],
    }


def _ranker(seed: int, train, valid, rows):
    """Logits with what the validation rows mixed in, and without."""
    ranker = training.build_ranker(RunConfig(), train, seed)
    with tempfile.TemporaryDirectory() as out:
        training.fit(ranker, train, valid, out, seed=seed)

    def predict():
        return ranker.predict(rows.batches(4096))["clicked"]

    found = {"as fitted": predict()}
    if ranker.fold_in is not None:
        mix = ranker.fold_in.mix
        mix.assign(np.eye(2, mix.shape[0]).sum(0))
        found["without opinions"] = predict()
    return found


def _texts(train) -> tuple[np.ndarray, np.ndarray]:
    """Of ads' centred unit vectors the main directions, and all cosines."""
    text = train.catalogue.columns["text"].astype(np.float32)
    text = text - text.mean(axis=0)
    text /= np.maximum(np.linalg.norm(text, axis=1, keepdims=True), 1e-12)
    text = np.concatenate([np.zeros_like(text[:1]), text])  # the unknown ad's
    _, _, axes = np.linalg.svd(text, full_matrices=False)
    return text @ axes[:_DIRECTIONS].T, text @ text.T


def _history(part):
    """Newest events, right-aligned: ads, types from 1, ages, which are real."""
    rows, events, length = part.impressions, part.events, part.history_length
    places = rows.history_ends[:, None] - length + np.arange(length)
    real = places >= rows.history_starts[:, None]
    places = np.where(real, places, 0)
    if events.times is None:  # histories that came along with impressions
        ages = np.zeros(places.shape)
    else:
        ages = rows.times[:, None] - events.times[places]
    types = np.where(real, events.types[places], 0)
    return np.where(real, events.ads[places], 0), types, ages * real, real


def _read(schema):
    """What users, ads, requests and candidates are, as categories or numbers.

    None that has no value in any row.
    """
    kinds = ("category", "categories", "number", "rate", "count")
    return [
        feature
        for feature in schema.of("user", "ad", "context", "candidate")
        if feature.spec()["kind"] in kinds
        and not (_is_coded(feature) and feature.num_codes < 2)
    ]


def _is_coded(feature) -> bool:
    return feature.spec()["kind"] in ("category", "categories")


def _columns(part):
    """Their columns: tensor -> [n], or [n, width] of a list of categories."""
    rows, found = part.impressions, {}
    for feature in _read(part.schema):
        name = feature.tensor
        if feature.entity == "ad":
            column = part.catalogue.columns[name]
            column = np.concatenate([np.zeros_like(column[:1]), column])
            found[name] = column[rows.ads]
        elif feature.entity == "user":
            found[name] = part.users[name][rows.users]
        else:
            found[name] = rows.columns[name]
    return found


def _deepctr(seed: int, train, valid, rows):
    import peers
    import tf_keras as keras

    text, _ = _texts(train)
    text /= text.std()
    sizes = {"user": len(train.user_ids) + 1, "ad": len(train.catalogue) + 1}
    context, bags = {}, {}
    for f in _read(train.schema):
        if f.spec()["kind"] == "categories":
            bags[f.tensor] = f.num_codes, f.spec()["width"]
        else:
            context[f.tensor] = f.num_codes if _is_coded(f) else None
    if len(train.schema.event_types) > 1:
        bags["types"] = (
            len(train.schema.event_types) + 1,
            train.history_length,
        )
    numbers = [name for name, size in context.items() if size is None]
    moments = {
        name: (np.nanmean(values), np.nanstd(values) + 1e-9)
        for name, values in _columns(train).items()
        if name in numbers
    }

    def inputs(part):
        ads, types, _, real = _history(part)
        lengths = real.sum(axis=1)
        # DeepCTR wants what is real to stand first.
        order = np.argsort(~real, axis=1, kind="stable")
        found = peers.inputs(
            part.impressions.users,
            part.impressions.ads,
            np.take_along_axis(ads, order, axis=1),
            lengths,
            {"text": np.arange(sizes["ad"])},
        )
        for name, values in _columns(part).items():
            if name in moments:
                mean, deviation = moments[name]
                values = np.nan_to_num((values - mean) / deviation)
            found[name] = values
        if "types" in bags:
            found["types"] = np.take_along_axis(types, order, axis=1)
        return found

    keras.utils.set_random_seed(seed)
    model = peers.make(
        "DIN",
        sizes,
        train.history_length,
        context=context,
        bags=bags,
        vectors={"text": text},
        optimizer=peers.adam(_RATE, _EPOCHS * (len(train) // _BATCH)),
        seed=seed,
    )

    def labelled(part):
        return inputs(part), part.impressions.labels["clicked"]

    aucs = peers.fit(
        model,
        labelled(train),
        labelled(valid),
        batch_size=_BATCH,
        epochs=_EPOCHS,
        patience=_PATIENCE,
        seed=seed,
    )
    print(f"epochs: {aucs}", file=sys.stderr, flush=True)
    return {"DeepCTR DIN": peers.logits(model, inputs(rows))}


def _lightgbm(seed: int, train, valid, rows):
    import lightgbm

    texts = _texts(train)
    found, best = {}, -np.inf
    designs = [_design(train, part, texts) for part in (train, valid, rows)]
    labels = [part.impressions.labels["clicked"] for part in (train, valid)]
    # Ids as categories and rates may over-fit, so the validation rows choose.
    for ids, rates in itertools.product(([], _IDS), ([], _RATES)):
        others = range(max(_RATES) + 1, designs[0].shape[1])
        read = [*ids, *rates, *others]
        booster = lightgbm.train(
            {
                "objective": "binary",
                "metric": "auc",
                "learning_rate": 0.05,
                "num_leaves": 63,
                "min_data_in_leaf": 50,
                "feature_fraction": 0.8,
                "bagging_fraction": 0.8,
                "bagging_freq": 1,
                "num_threads": 1,
                "verbose": -1,
                "seed": seed,
            },
            lightgbm.Dataset(
                designs[0][:, read],
                labels[0],
                categorical_feature=ids,
            ),
            num_boost_round=1000,
            valid_sets=[lightgbm.Dataset(designs[1][:, read], labels[1])],
            callbacks=[lightgbm.early_stopping(50, verbose=False)],
        )
        auc = booster.best_score["valid_0"]["auc"]
        told = f"ids {bool(ids)}, rates {bool(rates)}: {auc:.4f}"
        print(told, file=sys.stderr, flush=True)
        if auc > best:
            logits = booster.predict(designs[2][:, read], raw_score=True)
            best, found = auc, {"LightGBM": logits}
    return found


def _rates(train, part) -> list[np.ndarray]:
    """Of the rows' users and ads: log count, and smoothed rate, in training.

    A training row is told by four fifths of the rows, without its own: left out
    alone, it would be told its label by what is missing.
    """
    fold = np.random.default_rng(0).integers(0, _FOLDS, len(train))
    clicked = train.impressions.labels["clicked"]
    known, asked = train.impressions, part.impressions
    found = []
    for codes, own in ((known.users, asked.users), (known.ads, asked.ads)):
        size = int(max(codes.max(), own.max())) + 1
        shown = np.zeros([_FOLDS + 1, size])
        hits = np.zeros([_FOLDS + 1, size])
        for k in range(_FOLDS + 1):  # the last is told by all
            rows = fold != k
            shown[k] = np.bincount(codes[rows], minlength=size)
            hits[k] = np.bincount(codes[rows], clicked[rows], minlength=size)
        at = fold if part is train else _FOLDS
        n, k = shown[at, own], hits[at, own]
        found += [np.log1p(n), (k + 10 * clicked.mean()) / (n + 10)]
    return found


def _design(train, part, texts) -> np.ndarray:
    """What LightGBM reads of each row: ids, rates of training rows, others."""
    rows = part.impressions
    columns = [rows.users, rows.ads, *_rates(train, part)]
    ads, types, ages, real = _history(part)
    columns.append(rows.history_ends - rows.history_starts)
    columns.append(np.where(real[:, -1], np.log1p(ages[:, -1]), np.nan))
    coded = {f.tensor: f.num_codes for f in _read(part.schema)}
    for name, values in _columns(part).items():
        if values.ndim == 1:
            columns.append(values)
        else:
            codes = range(1, min(coded[name], _READ_OF_A_LIST + 1))
            columns += [(values == code).any(axis=1) for code in codes]
    directions, cosines = texts
    alike = np.where(real, cosines[ads, rows.ads[:, None]], -1.0)
    nearest = np.sort(alike, axis=1)
    near = np.exp(5 * alike) * real
    columns += [nearest[:, -1], nearest[:, -5:].mean(axis=1), alike[:, -1]]
    columns += [_mean(alike, real), _mean(alike, near)]
    kinds = len(part.schema.event_types)
    for kind in range(1, kinds + 1) if kinds > 1 else ():
        of_kind = types == kind
        columns += [of_kind.mean(axis=1), _shares(part, kind)]
        columns += [np.where(of_kind, alike, -1.0).max(axis=1)]
        columns.append(_mean(of_kind, near))
    same = (ads == rows.ads[:, None]) & real
    since = np.where(same, ages, np.inf).min(axis=1)
    columns += [same.sum(axis=1), np.log1p(since)]
    columns += [*directions[rows.ads][:, :_READ].T]
    columns += [_mean(directions[ads, k], real) for k in range(_READ)]
    return np.column_stack(columns).astype(np.float32)


def _shares(part, kind: int) -> np.ndarray:
    """Of all events before each row, how many are of a type, from 1."""
    rows = part.impressions
    before = np.append(0, np.cumsum(part.events.types[:] == kind))
    starts, ends = rows.history_starts, rows.history_ends
    return (before[ends] - before[starts]) / np.maximum(ends - starts, 1)


def _mean(values, weights) -> np.ndarray:
    """Weighted means of rows; 0 where there is no weight."""
    sums = (values * weights).sum(axis=1)
    return sums / np.maximum(weights.sum(axis=1), 1e-9)


if __name__ == "__main__":
    main()
