"""How well rankers with each behaviour encoder rank, beside DeepCTR's.

    pip install --no-deps deepctr==0.9.4
    tfadrec prepare movielens-100k --out data/ml
    python benchmarks/quality.py data/ml
    tfadrec prepare table --config examples/online_retail.yaml --out data/retail
    python benchmarks/quality.py data/retail --users 0.2

All contenders read the same features of the same rows: ids of user, ad and
history, and the request's context. No text, no ages, no categories of ads,
except in the lines that say so; no id dropout either. T = 20. Each is trained
by Adam at 0.001 that falls linearly to zero over five epochs of batches of 512;
the epoch with the best AUC on the validation rows is measured on the test rows.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import data, training
from tfadrec.core.config import RunConfig
from tfadrec.metrics import ranking

_SEEDS = (0, 1, 2)
_LENGTH, _BATCH, _EPOCHS, _PATIENCE, _RATE = 20, 512, 5, 2, 1e-3
_ENCODERS = ("DIN", "DIEN", "BST", "Transformer", "HSTU")
_PEERS = ("DIN", "DIEN", "BST")
#: Encoders that are also shown with everything that this project reads.
_FULL = ("DIN",)
#: Every id is read in every step, as DeepCTR does it.
_IDS_ONLY = {
    "text": None,
    "ad_tower": {"id_dropout": 0.0},
    "user_tower": {"id_dropout": 0.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", help="a folder that `prepare` wrote")
    parser.add_argument(
        "--users", type=float, default=1.0, help="share of users to keep"
    )
    parser.add_argument("--contend", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contend:
        name, seed = arguments.contend.rsplit(":", 1)
        parts = _parts(arguments.dataset, arguments.users)
        print(json.dumps(_contend(name, int(seed), *parts)))
    else:
        _compare(arguments.dataset, arguments.users)


def _compare(dataset: str, users: float) -> None:
    from machine import describe

    print(describe())
    parts = _parts(dataset, users)
    counts = ", ".join(f"{len(part):,}" for part in parts)
    print(f"{dataset}: {counts} rows to train, validate and test")
    names = ["logistic regression"]
    names += [f"DeepCTR {name}" for name in _PEERS]
    names += [*_ENCODERS, *(f"{name}, all features" for name in _FULL)]
    jobs = [f"{name}:{seed}" for name in names for seed in _SEEDS]
    # Not a timing: two at once, a core each.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(
            zip(
                jobs,
                pool.map(lambda job: _run(dataset, users, job), jobs),
                strict=True,
            )
        )
    print("\nTest rows, mean and sample standard deviation over seeds")
    for name in names:
        rows = [found[f"{name}:{seed}"] for seed in _SEEDS]
        line = f"{name:24}"
        for metric in ("auc", "gauc", "log_loss"):
            values = np.array([row[metric] for row in rows])
            line += (
                f"  {metric} {values.mean():.4f} +- {values.std(ddof=1):.4f}"
            )
        print(line)


def _run(dataset: str, users: float, job: str) -> dict[str, float]:
    done = subprocess.run(
        [
            sys.executable,
            __file__,
            dataset,
            f"--users={users}",
            f"--contend={job}",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "TF_NUM_INTRAOP_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        },
    )
    if done.returncode:
        raise RuntimeError(f"{job}: {done.stderr[-3000:]}")
    row = json.loads(done.stdout.splitlines()[-1])
    print(f"{job}: {row}", file=sys.stderr, flush=True)
    return row


def _parts(path: str, users: float):
    """The splits, with the same share of users in each."""
    dataset = data.open_dataset(path).with_history_length(_LENGTH)
    count = len(dataset.user_ids) + 1
    kept = np.random.default_rng(0).random(count) < users
    dataset = dataset.select(kept[dataset.impressions.users])
    return data.split_by_time(dataset)


def _contend(name: str, seed: int, train, valid, test) -> dict[str, float]:
    """Metrics on the test rows."""
    if name.endswith(", all features"):
        scores = _ranker(name.partition(",")[0], seed, train, valid, test, {})
    else:
        train, valid, test = map(_ids_and_context, (train, valid, test))
        if name == "logistic regression":
            scores = _logistic_regression(train, valid, test)
        elif name.startswith("DeepCTR "):
            model = name.partition(" ")[2]
            scores = _peer(model, seed, train, valid, test)
        else:
            scores = _ranker(name, seed, train, valid, test, _IDS_ONLY)
    labels = test.impressions.labels["clicked"]
    return {
        "auc": float(ranking.auc(labels, scores)),
        "gauc": float(
            ranking.group_auc(labels, scores, test.impressions.users)
        ),
        "log_loss": float(ranking.log_loss(labels, scores)),
    }


def _ids_and_context(part):
    """The rows without what DeepCTR's models cannot be given."""
    events = dataclasses.replace(
        part.events, times=None, types=np.ones_like(part.events.types)
    )
    part = dataclasses.replace(part, events=events)
    return part.with_catalogue(part.catalogue.ids_only())


def _ranker(encoder: str, seed: int, train, valid, test, settings):
    """Logits of this project's ranker."""
    config = RunConfig(
        **settings,
        encoder={"class": encoder},
        optimizer={"class": "LazyAdam", "learning_rate": _RATE},
    )
    dataset = training.with_text(train, config.text)
    train, valid, test = (
        part.with_catalogue(dataset.catalogue) for part in (train, valid, test)
    )
    ranker = training.build_ranker(config, train, seed)
    with tempfile.TemporaryDirectory() as out:
        training.fit(
            ranker,
            train,
            valid,
            pathlib.Path(out),
            batch_size=_BATCH,
            epochs=_EPOCHS,
            patience=_PATIENCE,
            seed=seed,
            progress=False,
        )
    return ranker.predict(test.batches(4096))["clicked"]


def _peer(name: str, seed: int, train, valid, test):
    """Logits of DeepCTR's model, at its defaults."""
    import peers
    import tf_keras as keras

    arrays = [_arrays(part) for part in (train, valid, test)]
    peers.prepare(name)
    keras.utils.set_random_seed(seed)
    model = peers.make(
        name,
        {"user": len(train.user_ids) + 1, "ad": len(train.catalogue) + 1},
        _LENGTH,
        context={
            f.tensor: f.num_codes if f.spec()["kind"] == "category" else None
            for f in _plain(train.schema)
        },
        optimizer=peers.adam(_RATE, _EPOCHS * (len(train) // _BATCH)),
        seed=seed,
    )
    labels = [part.impressions.labels["clicked"] for part in (train, valid)]
    peers.fit(
        model,
        (arrays[0], labels[0]),
        (arrays[1], labels[1]),
        batch_size=_BATCH,
        epochs=_EPOCHS,
        patience=_PATIENCE,
        seed=seed,
    )
    return peers.logits(model, arrays[2])


def _arrays(part) -> dict[str, np.ndarray]:
    """The rows as DeepCTR reads them."""
    import peers

    rows, events = part.impressions, part.events
    starts = np.maximum(rows.history_starts, rows.history_ends - _LENGTH)
    lengths = rows.history_ends - starts
    places = starts[:, None] + np.arange(_LENGTH)
    real = np.arange(_LENGTH) < lengths[:, None]
    history = np.where(
        real, events.ads[np.minimum(places, len(events.ads) - 1)], 0
    )
    found = peers.inputs(rows.users, rows.ads, history, lengths, {})
    for feature in _plain(part.schema):
        of_user = feature.entity == "user"
        columns = part.users if of_user else rows.columns
        values = columns[feature.tensor]
        # DeepCTR has no answer to a missing number but the mean.
        found[feature.tensor] = np.nan_to_num(
            values[rows.users] if of_user else values
        )
    return found


def _plain(schema):
    """The features of users and requests that DeepCTR can read."""
    return [
        feature
        for feature in schema.of("user", "context")
        if feature.spec()["kind"] in ("category", "number")
    ]


def _logistic_regression(train, valid, test):
    """Logits from one-hot ids of user and ad; C chosen on validation rows."""
    import scipy.sparse
    from sklearn.linear_model import LogisticRegression

    def one_hot(part):
        rows = part.impressions
        users, ads = len(part.user_ids) + 1, len(part.catalogue) + 1
        n = len(part)
        columns = np.concatenate([rows.users, users + rows.ads])
        places = np.tile(np.arange(n), 2)
        return scipy.sparse.csr_matrix(
            (np.ones(2 * n), (places, columns)), shape=(n, users + ads)
        )

    labels = [part.impressions.labels["clicked"] for part in (train, valid)]
    best, chosen = -np.inf, None
    for strength in (0.01, 0.1, 1.0, 10.0):
        model = LogisticRegression(C=strength, max_iter=1000)
        model.fit(one_hot(train), labels[0])
        auc = ranking.auc(labels[1], model.decision_function(one_hot(valid)))
        if auc > best:
            best, chosen = auc, model
    return chosen.decision_function(one_hot(test))


if __name__ == "__main__":
    main()
