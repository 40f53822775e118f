"""What a ranker gains where its language model has learned from the ad copy.

    tfadrec prepare movielens-100k --out data/ml
    python benchmarks/pretrain.py data/ml

MiniLM is adapted in each way that `tfadrec pretrain` offers, with the ranker's
seed; its frozen vectors then take the place of the original's in a DIN ranker,
`examples/din_bert.yaml` over three epochs. Same split, same rows, same seeds.
Rare ads are those with fewer than ten impressions to train on. Pairs of clicks
come from before the first validation row.
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
_WAYS = {
    "original": None,
    "masked": {"objective": "masked", "batch_size": 32},
    "dropout pairs": {
        "objective": "contrastive",
        "batch_size": 64,
        "steps_per_epoch": 24,
        "learning_rate": 3e-5,
    },
    "click pairs": {
        "objective": "contrastive",
        "pairs": "clicks",
        "batch_size": 64,
        "steps_per_epoch": 60,
        "window_seconds": 3600,
    },
}
#: Events of MovieLens that are clicks.
_EVENTS = ("rating_4", "rating_5")
_METRICS = ("auc", "gauc", "auc of rare ads")
_RARE = 10


def main() -> None:
    from machine import describe

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", help="a folder that `prepare` wrote")
    parser.add_argument(
        "--users", type=float, default=1.0, help="share of users to keep"
    )
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
    found = {}
    for seed in _SEEDS:
        for way, settings in _WAYS.items():
            with tempfile.TemporaryDirectory() as out:
                model = "minilm"
                if settings is not None:
                    model = _adapt(dataset, pathlib.Path(out), settings, seed)
                catalogue = data.encode_text(
                    opened.catalogue,
                    data.Tokenizer.from_pretrained(model),
                    layers.BertAdEncoder.from_pretrained(model),
                    progress=False,
                )
            row = _rank(parts, catalogue, seed)
            found.setdefault(way, []).append(row)
            print(f"seed {seed}, {way}: {row}", flush=True)
    print("\nTest rows, mean and sample standard deviation over seeds")
    base = np.array(found["original"])
    for way, rows in found.items():
        line = f"{way:14}"
        for values, before, metric in zip(
            np.transpose(rows), base.T, _METRICS, strict=True
        ):
            gain = values - before
            line += (
                f"  {metric} {values.mean():.4f} +- {values.std(ddof=1):.4f}"
                f" ({gain.mean():+.4f}; of the same seed {gain.min():+.4f} to "
                f"{gain.max():+.4f})"
            )
        print(line)


def _adapt(dataset, out, settings, seed):
    """The folder of an adapted model."""
    settings = {"learning_rate": 1e-4, "epochs": 3, **settings}
    if settings.get("pairs") == "clicks":
        settings["events"] = _EVENTS
    begun = time.monotonic()
    done = training.pretrain(
        dataset,
        out,
        model="minilm",
        precision="mixed_bfloat16",
        seed=seed,
        progress=False,
        **settings,
    )
    print(
        f"  {settings['objective']} {settings.get('pairs', '')}: "
        f"{done.before} before, {done.best} after, "
        f"{time.monotonic() - begun:.0f} s",
        flush=True,
    )
    return done.folder


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


if __name__ == "__main__":
    main()
