"""Logs in which users like kinds of ads, and nothing printed says so.

    python benchmarks/tastes.py [FOLDER]

Four logs are made up: job ads by counts of impressions and clicks, for
segments of users without histories, videos that are seen to the end or not, ads
in four languages for visitors who come once or twice and speak one, and of
eight topics for as many who name up to four interests. Each is prepared and
trained at the defaults; beside what `tfadrec train` prints stands the AUC of
the chances that the clicks were drawn by, and of two rates of the training
rows, of an ad and of a user and kind.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from scipy.special import expit, logit

from tfadrec import data
from tfadrec.metrics import ranking

DAY = 86_400
SHOWN = {
    "user_id": "user_id",
    "ad_id": "ad_id",
    "timestamp": {"column": "timestamp", "unit": "s"},
}
JOBS = {
    "ads": {
        "file": "log.parquet",
        "deduplicate": True,
        "ad_id": "ad_id",
        "features": {"kind": "category", "pay": "number"},
    },
    "impressions": {
        "file": "log.parquet",
        **SHOWN,
        "counts": {"impressions": "shown", "clicks": "clicks"},
    },
}
VIDEOS = {
    "ads": {
        "file": "log.parquet",
        "deduplicate": True,
        "ad_id": "ad_id",
        "features": {"kind": "category", "seconds": "number"},
    },
    "events": {
        "file": "log.parquet",
        **SHOWN,
        "event_type": {"constant": "seen"},
        "where": {"done": True},
    },
    "impressions": {"file": "log.parquet", **SHOWN, "clicked": "done"},
}
SPEAKERS = {
    "ads": {**JOBS["ads"], "features": {"kind": "category"}},
    "impressions": {
        "file": "log.parquet",
        **SHOWN,
        "clicked": "done",
        "features": {"speaks": "category"},
    },
}
READERS = {
    **SPEAKERS,
    "impressions": {
        **SPEAKERS["impressions"],
        "features": {"interests": "categories"},
    },
}


def jobs(random):
    """40 segments, each of one of five kinds, on 20 days."""
    segments, ads, days = 40, 60, 20
    kind, pay = np.arange(ads) % 5, random.uniform(11, 38, ads)
    quality = random.normal(0, 0.5, ads)
    rows = [
        (segment, ad, day)
        for day in range(days)
        for segment in range(segments)
        for ad in random.choice(ads, 6, replace=False)
    ]
    segment, ad, day = np.array(rows).T
    chance = expit(
        -4
        + 2.0 * (kind[ad] == segment % 5)
        + 0.06 * (pay[ad] - 20)
        + quality[ad]
    )
    shown = random.integers(20, 200, len(ad))
    columns = {
        "user_id": [f"segment {n}" for n in segment],
        "ad_id": [f"job {n}" for n in ad],
        "kind": [f"kind {n}" for n in kind[ad]],
        "pay": pay[ad],
        "timestamp": day * DAY + 1_700_000_000,
        "shown": shown,
        "clicks": random.binomial(shown, chance),
    }
    return columns, chance


def videos(random):
    """400 users with a taste for each of six kinds, 12,000 views."""
    users, ads, count = 400, 150, 12_000
    kind, seconds = np.arange(ads) % 6, random.integers(20, 900, ads)
    quality, taste = (
        random.normal(0, 0.6, ads),
        random.normal(0, 1.2, (users, 6)),
    )
    user, ad = random.integers(0, users, count), random.integers(0, ads, count)
    chance = expit(
        -1 + taste[user, kind[ad]] + quality[ad] - 0.002 * (seconds[ad] - 300)
    )
    columns = {
        "user_id": [f"user {n}" for n in user],
        "ad_id": [f"video {n}" for n in ad],
        "kind": [f"kind {n}" for n in kind[ad]],
        "seconds": seconds[ad],
        "timestamp": np.arange(count) * 200 + 1_700_000_000,
        "done": random.random(count) < chance,
    }
    return columns, chance


def speakers(random):
    """30,000 views of 20,000 users, of 300 ads in a language each."""
    users, ads, count = 20_000, 300, 30_000
    languages, quality = np.arange(ads) % 4, random.normal(0, 0.6, ads)
    speaks = random.integers(0, 4, users)
    user, ad = random.integers(0, users, count), random.integers(0, ads, count)
    is_own = speaks[user] == languages[ad]
    chance = expit(-1.5 + 1.0 * is_own + quality[ad])
    columns = {
        "user_id": [f"user {n}" for n in user],
        "ad_id": [f"ad {n}" for n in ad],
        "kind": [f"in {n}" for n in languages[ad]],
        "speaks": [f"language {n}" for n in speaks[user]],
        "timestamp": np.arange(count) * 60 + 1_700_000_000,
        "done": random.random(count) < chance,
    }
    return columns, chance


def readers(random):
    """30,000 views of 20,000 users with interests, of 300 ads with a topic."""
    users, ads, count = 20_000, 300, 30_000
    topics, quality = np.arange(ads) % 8, random.normal(0, 0.6, ads)
    likes = random.random((users, 8)) < random.choice([0.1, 0.3], (users, 1))
    user, ad = random.integers(0, users, count), random.integers(0, ads, count)
    chance = expit(-1.5 + 1.0 * likes[user, topics[ad]] + quality[ad])
    named = [[f"topic {n}" for n in np.flatnonzero(row)[:4]] for row in likes]
    columns = {
        "user_id": [f"user {n}" for n in user],
        "ad_id": [f"ad {n}" for n in ad],
        "kind": [f"about {n}" for n in topics[ad]],
        "interests": [named[n] for n in user],
        "timestamp": np.arange(count) * 60 + 1_700_000_000,
        "done": random.random(count) < chance,
    }
    return columns, chance


def measure(name, make, settings, folder) -> None:
    """Makes a log, prepares it, trains, and prints what there is to know."""
    columns, chance = make(np.random.default_rng(0))
    home = folder / name
    home.mkdir(parents=True)
    pq.write_table(pa.table(columns), home / "log.parquet")
    (home / "log.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    tool = [sys.executable, "-m", "tfadrec"]
    made = ["--config", home / "log.yaml", "--out", home / "data"]
    subprocess.run([*tool, "prepare", "table", *made], check=True)
    train = ["--data", home / "data", "--out", home / "run"]
    subprocess.run([*tool, "train", *train], check=True)
    dataset = data.open_dataset(home / "data")
    parts = data.split_by_time(dataset)
    ids = dataset.catalogue.ad_ids
    kinds = dict(zip(columns["ad_id"], columns["kind"], strict=True))
    of = dict(
        zip(
            zip(columns["user_id"], columns["ad_id"], strict=True),
            chance,
            strict=True,
        )
    )
    known, asked = [], []
    for rows, kept in ((parts[0], known), (parts[1], asked)):
        shown = rows.impressions
        for user, ad in zip(shown.users, shown.ads, strict=True):
            ad_id, user_id = ids[ad - 1], dataset.user_ids[user - 1]
            kept.append((ad_id, (user_id, kinds[ad_id]), of[user_id, ad_id]))
    labels, weights = (
        [rows.impressions.labels["clicked"] for rows in parts[:2]],
        [
            np.ones(len(rows)) if w is None else w
            for rows in parts[:2]
            for w in [rows.impressions.weights]
        ],
    )
    rates = sum(
        smoothed(
            [k[i] for k in known], labels[0], weights[0], [a[i] for a in asked]
        )
        for i in (0, 1)
    )
    for told, scores in (
        ("a rate of the ad and one of user and kind", rates),
        ("what clicks were drawn by", np.array([row[2] for row in asked])),
    ):
        auc = ranking.auc(labels[1], scores, weights[1])
        print(f"{name}: {told}, AUC {auc:.4f}", flush=True)


def smoothed(known, labels, weights, asked):
    """Logits of rates by keys of training rows, for others."""
    clicks: dict = {}
    shown: dict = {}
    for key, label, weight in zip(known, labels, weights, strict=True):
        clicks[key] = clicks.get(key, 0.0) + label * weight
        shown[key] = shown.get(key, 0.0) + weight
    mean = np.average(labels, weights=weights)
    prior = 10.0 * weights.mean()
    return np.array(
        [
            logit(
                (clicks.get(key, 0.0) + prior * mean)
                / (shown.get(key, 0.0) + prior)
            )
            for key in asked
        ]
    )


def main() -> None:
    folder = pathlib.Path(
        sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    )
    measure("jobs", jobs, JOBS, folder)
    measure("videos", videos, VIDEOS, folder)
    measure("speakers", speakers, SPEAKERS, folder)
    measure("readers", readers, READERS, folder)


if __name__ == "__main__":
    main()
