"""What a ranker gains where its language model has learned from the ad copy.

    tfadrec prepare movielens-100k --out data/ml
    python benchmarks/pretrain.py data/ml
    tfadrec prepare table --config examples/online_retail.yaml --out data/retail
    python benchmarks/pretrain.py data/retail --users 0.1 --events purchase

MiniLM is adapted in each way that `tfadrec pretrain` offers for it, and a new
GPT-2 learns to guess the next token, each with the ranker's seed. The frozen
vectors of what comes out then take the place of those of the weights that it
began with in a DIN ranker, `examples/din_bert.yaml` over three epochs. Same
split, same rows, same seeds. Rare ads are those with fewer than ten impressions
to train on. Pairs of clicks come from before the first validation row.
"""

import argparse
import pathlib
import tempfile
import time

import numpy as np

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import data, layers, training
from tfadrec.core.config import RunConfig
from tfadrec.metrics import ranking

_SEEDS = (0, 1, 2)
_EPOCHS = 3
#: Weights to begin with -> name and settings of each way to train them.
_WAYS = {
    "MiniLM": {
        "masked": {"objective": "masked", "epochs": 3},
        "dropout pairs": {
            "objective": "contrastive",
            "epochs": 3,
            "batch_size": 64,
            "steps_per_epoch": 24,
            "learning_rate": 3e-5,
        },
        "click pairs": {
            "objective": "contrastive",
            "epochs": 3,
            "pairs": "clicks",
            "batch_size": 64,
            "steps_per_epoch": 60,
            "window_seconds": 3600,
        },
    },
    "new GPT-2": {
        "causal": {
            "objective": "causal",
            "model": {
                "type": "gpt2",
                "vocabulary_size": 2000,
                "width": 64,
                "num_layers": 2,
                "num_heads": 2,
            },
            "epochs": 10,
            "learning_rate": 2e-3,
        },
    },
}
_METRICS = ("auc", "gauc", "auc of rare ads")
_RARE = 10


def main() -> None:
    from machine import describe

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", help="a folder that `prepare` wrote")
    parser.add_argument(
        "--users", type=float, default=1.0, help="share of users to keep"
    )
    parser.add_argument(
        "--events",
        nargs="+",
        default=["rating_4", "rating_5"],
        help="the types of events that make pairs of clicks",
    )
    names = [way for ways in _WAYS.values() for way in ways]
    parser.add_argument("--ways", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    dataset = arguments.dataset
    print(describe())
    opened = data.open_dataset(dataset)
    users = len(opened.user_ids) + 1
    kept = np.random.default_rng(0).random(users) < arguments.users
    # The time of the split is that of the whole log, for pairs of clicks too.
    parts = [
        part.select(kept[part.impressions.users])
        for part in data.split_by_time(opened)
    ]
    print(f"{dataset}: {', '.join(f'{len(p):,}' for p in parts)} rows")
    found: dict[str, dict[str, list]] = {weights: {} for weights in _WAYS}
    for seed in _SEEDS:
        for weights, ways in _WAYS.items():
            chosen = {k: v for k, v in ways.items() if k in arguments.ways}
            with tempfile.TemporaryDirectory() as out:
                models = _models(
                    dataset, out, weights, chosen, arguments.events, seed
                )
                for name, folder in models.items():
                    row = _rank(parts, _read(opened.catalogue, folder), seed)
                    found[weights].setdefault(name, []).append(row)
                    print(f"seed {seed}, {name}: {row}", flush=True)
    print("\nTest rows, mean and sample standard deviation over seeds")
    for weights, rows in found.items():
        for name in rows:
            print(f"{name:14}{_compare(rows[name], rows[weights])}")


def _models(dataset, out, weights, ways, events, seed):
    """Name -> folder: the weights, and what comes out of each way."""
    models = {}
    for way, settings in ways.items():
        settings = {"model": "minilm", **settings}
        if settings.get("pairs") == "clicks":
            settings["events"] = events
        begun = time.monotonic()
        done = training.pretrain(
            dataset,
            pathlib.Path(out, way),
            precision="mixed_bfloat16",
            seed=seed,
            progress=False,
            **settings,
        )
        print(
            f"  {way}: {done.before} before, {done.best} after, "
            f"{time.monotonic() - begun:.0f} s",
            flush=True,
        )
        new = done.folder.with_name("begin")
        models[weights] = new if new.exists() else settings["model"]
        models[way] = done.folder
    return models


def _read(catalogue, model):
    return data.encode_text(
        catalogue,
        data.Tokenizer.from_pretrained(model),
        layers.text.load_encoder(model),
        progress=False,
    )


def _rank(parts, catalogue, seed):
    """The metrics on the test rows."""
    train, valid, test = (part.with_catalogue(catalogue) for part in parts)
    ranker = training.build_ranker(RunConfig(), train, seed)
    with tempfile.TemporaryDirectory() as out:
        training.fit(
            ranker, train, valid, out, epochs=_EPOCHS, seed=seed, progress=False
        )
    scores = ranker.predict(test.batches(4096))["clicked"]
    labels, rows = test.impressions.labels["clicked"], test.impressions
    shown = np.bincount(train.impressions.ads, minlength=len(catalogue) + 1)
    rare = shown[rows.ads] < _RARE
    return (
        float(ranking.auc(labels, scores)),
        float(ranking.group_auc(labels, scores, rows.users)),
        float(ranking.auc(labels[rare], scores[rare])),
    )


def _compare(rows, base):
    """One line: each metric, and what it is above the base's."""
    line = ""
    for values, before, metric in zip(
        np.transpose(rows), np.transpose(base), _METRICS, strict=True
    ):
        line += f"  {metric} {values.mean():.4f} +- {values.std(ddof=1):.4f}"
        if rows is not base:
            gains = values - before
            by_seed = ", ".join(f"{gain:+.4f}" for gain in gains)
            line += f" ({gains.mean():+.4f}; by seed {by_seed})"
    return line


if __name__ == "__main__":
    main()
