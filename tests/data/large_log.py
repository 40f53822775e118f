"""A log with rows of all kinds, of which many are refused, in any format."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import yaml

ROWS = 400
CONFIG = {
    "ads": {
        "file": "ads.csv",
        "ad_id": "ad",
        "title": "ad",
        "features": {"brand": "category"},
    },
    "users": {
        "file": "users.csv",
        "user_id": "user",
        "features": {"age": "number"},
    },
    "events": {
        "file": "events",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "event_type": "kind",
        "max_rejected": 1,
        "features": {"dwell": {"kind": "number", "log1p": True}},
    },
    "impressions": {
        "file": "log",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "request_id": "request",
        "clicked": "click",
        "weight": "weight",
        "split": "split",
        "where": {"hour": ">=1"},
        "features": {
            "hour": {"kind": "number", "buckets": 3},
            "likes": {"kind": "categories", "separator": "|"},
        },
        "candidate_features": {
            "bid": "number",
            "clicks": {"kind": "rate", "of": ["ad_id", "hour"]},
        },
    },
}


def tables():
    """Rows of few seconds, and requests that have several of them."""
    rng = np.random.default_rng(0)

    def log(**columns):
        columns = {
            "user": rng.choice(["u1", "u2", "v", "w", "x10", "x9"], ROWS),
            "ad": rng.choice(
                ["a", "b", "c", "nowhere"], ROWS, p=[0.5, 0.3, 0.1, 0.1]
            ),
            "time": rng.integers(10**9, 10**9 + 60, ROWS),
            **columns,
        }
        return pa.table(columns)

    words = rng.choice(["s", "t", "u"], (ROWS, 2))
    return {
        "ads": pa.table({"ad": ["a", "b", "c"], "brand": ["X", "Y", "X"]}),
        "users": pa.table({"user": ["u1", "v", "w"], "age": [20, None, 40]}),
        "events": log(
            kind=rng.choice(["view", "buy"], ROWS),
            dwell=rng.choice(["7", "2.5", "", "long"], ROWS),
        ),
        "log": log(
            request=[f"r{n}" for n in rng.integers(0, 150, ROWS)],
            click=rng.integers(0, 2, ROWS),
            weight=rng.integers(1, 5, ROWS) / 4,
            split=rng.choice(["train", "valid", "test"], ROWS),
            hour=rng.integers(0, 24, ROWS),
            likes=["|".join(row) for row in words],
            bid=rng.normal(size=ROWS),
            **histories(rng),
        ),
    }


def histories(rng):
    """Up to three ads and their types for each row."""
    lengths = rng.integers(0, 4, ROWS)
    return {
        name: [" ".join(rng.choice(values, n)) for n in lengths]
        for name, values in (
            ("seen", ["a", "b", "nowhere"]),
            ("kinds", ["view", "buy"]),
        )
    }


def write(folder, end, **changes):
    """The files, and their configuration."""
    for name, table in tables().items():
        if name in ("ads", "users") or end == "csv":
            pa.csv.write_csv(table, folder / f"{name}.csv")
        elif end == "jsonl":
            lines = map(json.dumps, table.to_pylist())
            (folder / f"{name}.jsonl").write_text("\n".join(lines))
        else:
            # Two files, whose parts end within batches.
            (folder / f"{name}.parquet").mkdir()
            for part, rows in enumerate(
                (table.slice(0, 250), table.slice(250))
            ):
                file = folder / f"{name}.parquet" / f"{part}.parquet"
                pq.write_table(rows, file, row_group_size=60)
    config = yaml.safe_load(yaml.safe_dump(CONFIG))
    for name in ("events", "impressions"):
        config[name]["file"] += f".{end}"
        config[name]["max_rejected"] = 1
    for name, change in changes.items():
        config[name] = {**config.get(name, {}), **change}
        config[name] = {k: v for k, v in config[name].items() if v is not None}
    (folder / "t.yaml").write_text(yaml.safe_dump(config))
    return folder / "t.yaml"


HISTORIES = {
    "events": {"features": None},
    "impressions": {
        "history": {"column": "seen", "types": "kinds", "max_rejected": 1}
    },
}
OFF_THE_LOG = {
    "ads": {
        "file": "log.parquet",
        "deduplicate": True,
        "title": "user",
        "features": {"likes": {"kind": "categories", "separator": "|"}},
    },
}
SAMPLED = {
    "sampling": {
        "negatives_per_positive": 2,
        "strategy": "popularity",
        "period": "all",
        "seed": 0,
    },
    "impressions": {
        "clicked": None,
        "weight": None,
        "split": None,
        "candidate_features": None,
    },
}
