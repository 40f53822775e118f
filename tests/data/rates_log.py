"""A log with rates and counts, and what they are by a loop over its rows."""

import math

import numpy as np
import yaml

from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset

DAY = 86_400
RATES = {
    "ad rate": {"kind": "rate", "of": "ad_id"},
    "user rate": {"kind": "rate", "of": "user_id", "prior": 2.5},
    "this week": {"kind": "rate", "of": "brand", "days": 3},
    "brand by city": {"kind": "rate", "of": ["brand", "city"]},
    "ad by hour": {"kind": "rate", "of": ["ad_id", "hour"], "prior": 1},
    "shown": {"kind": "count", "of": "ad_id"},
    "shown to user": {"kind": "count", "of": ["ad_id", "user_id"], "days": 0.5},
    "done": {"kind": "count", "of": ["user_id", "ad_id"], "among": "events"},
    "brand done": {"kind": "count", "of": "brand", "among": "events"},
    "done lately": {
        "kind": "count",
        "of": ["user_id", "brand"],
        "among": "events",
        "days": 2,
    },
}
CONFIG = {
    "ads": {
        "file": "ads.csv",
        "ad_id": "ad",
        "features": {"brand": "category"},
    },
    "users": {
        "file": "users.csv",
        "user_id": "user",
        "features": {"city": "category"},
    },
    # And an event of type `skipped` for each row without a click.
    "events": {
        "file": "log.csv",
        "where": {"click": "1"},
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "event_type": {"constant": "click"},
    },
    "impressions": {
        "file": "log.csv",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "clicked": "click",
        "weight": "weight",
        "features": {"hour": {"kind": "number", "bounds": [2, 4]}},
        "candidate_features": RATES,
    },
}
#: Of "d" nothing is known, and "w" is in no table of users.
BRANDS = {"a": "X", "b": "Y", "c": "X", "d": ""}
CITIES = {"u": "Rome", "v": "Oslo"}


def rows(n=90):
    random = np.random.default_rng(0)
    # Few seconds, so that many rows share one.
    times = random.choice(12, n) * (DAY // 2) + 1_000_000_000
    return [
        {
            "user": str(random.choice(["u", "v", "w"])),
            "ad": str(random.choice(["a", "b", "c", "d"])),
            "time": int(time),
            "click": int(random.random() < 0.3),
            "weight": float(random.choice([1, 2, 0])),
            "hour": str(int(random.integers(0, 6))),
        }
        for time in times
    ]


def prepare(folder, log=None, like=None, **changes):
    log = rows() if log is None else log
    texts = {
        "ads": ["ad,brand", *(f"{a},{b}" for a, b in BRANDS.items())],
        "users": ["user,city", *(f"{u},{c}" for u, c in CITIES.items())],
        "log": [
            ",".join(log[0]),
            *(",".join(map(str, r.values())) for r in log),
        ],
    }
    for name, lines in texts.items():
        (folder / f"{name}.csv").write_text("\n".join([*lines, ""]))
    config = {
        section: {**values, **changes.get(section, {})}
        for section, values in CONFIG.items()
    }
    config |= {k: v for k, v in changes.items() if k not in CONFIG}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    sources.prepare_table(folder / "config.yaml", folder / "out", like=like)
    return open_dataset(folder / "out")


def key_of(name, row):
    parts = {
        "ad_id": row["ad"],
        "user_id": row["user"],
        "brand": BRANDS.get(row["ad"], ""),
        "city": CITIES.get(row["user"], ""),
        "hour": str(np.searchsorted([2, 4], float(row["hour"]), "right")),
    }
    of = RATES[name]["of"]
    key = [parts[part] for part in ([of] if isinstance(of, str) else of)]
    return key if all(key) else None


def value(name, row, now, log):
    """By the docstring: of what came before `now`, row by row."""
    settings, key = RATES[name], key_of(name, row)
    since = now - settings.get("days", 0) * DAY
    earlier = [r for r in log if r["time"] < now]
    own = [
        r
        for r in earlier
        if key_of(name, r) == key
        and (not settings.get("days") or r["time"] >= since)
    ]
    if key is None:
        own = []
    if settings.get("among") == "events":
        return math.log(1 + sum(r["click"] for r in own))
    shown = sum(r["weight"] for r in own)
    if settings["kind"] == "count":
        return math.log(1 + shown)
    clicked = sum(r["weight"] * r["click"] for r in own)
    total = sum(r["weight"] for r in earlier)
    p = (1 + sum(r["weight"] * r["click"] for r in earlier)) / (2 + total)
    m = settings.get("prior", 10)
    rate = (clicked + m * p) / (shown + m)
    return math.log(rate / (1 - rate)) - math.log(p / (1 - p))
