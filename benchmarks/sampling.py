r"""What counts alone tell of sampled negatives, and what sampling costs.

    python benchmarks/sampling.py online_retail.parquet \
      amazon_phone_electronic.parquet lastfm_plays.parquet   # this checkout
    python benchmarks/sampling.py --other OTHER FILE…        # beside another

Every log holds purchases only; a `sampling` section gives each four negatives.
Then the AUC of three scores on the sampled rows: purchases of the ad before the
row's time, purchases after it, and the ad's share of purchases in the first
80 % of the rows (on the later ones). One half tells nothing. Three seeds of the
sampler, each in a process of its own.

`trend` is made up: 100,000 purchases of 2,000 ads in a year by 5,000 users;
each ad sells for some weeks around a day of its own. The Amazon file has no
times: the n-th purchase of a user is put on the n-th day. Nor has the Last.FM
file: each play gets a random time in a year.
"""

import argparse
import pathlib
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from machine import describe, run_in, spread
from sklearn.metrics import roc_auc_score

_SEEDS = 3
_DAY = 86_400
_YEAR = 365
_SCORES = ("before", "after", "rate")
#: name of a row: settings; those without a period run on the other checkout.
_WAYS = {
    "popularity": {"strategy": "popularity"},
    "popularity, day": {"strategy": "popularity", "period": "day"},
    "popularity, month": {"strategy": "popularity", "period": "month"},
    "popularity, all": {"strategy": "popularity", "period": "all"},
    "uniform": {"strategy": "uniform"},
}
_PREPARE = """
import json, sys, time
from tfadrec.data.sources import prepare_table
begun = time.process_time()
notes = prepare_table(sys.argv[1], sys.argv[2]).notes
print(json.dumps({"seconds": time.process_time() - begun, "notes": notes}))
"""
_SAMPLE = """
import json, time
import numpy as np, pyarrow as pa
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.sources.sampling import with_negatives
rng = np.random.default_rng(0)
rows, ads, requests = 1_000_000, 100_000, 200_000
request = np.sort(rng.integers(0, requests, rows))
ids = pa.array([f"a{n}" for n in range(ads)])
table = pa.table({
    "request_id": pa.array([f"r{n}" for n in range(requests)]).take(
        pa.array(request)),
    "user_id": rng.integers(0, 100_000, rows),
    "ad_id": ids.take(pa.array(
        (ads * rng.random(rows) ** 2).astype(np.int64))),
    "timestamp": request * (365 * 86_400 // requests),
})
import inspect
extra = {}
if "period" in inspect.signature(with_negatives).parameters:
    extra["period"] = "auto"
if "workspace" in inspect.signature(with_negatives).parameters:
    import pathlib
    from tfadrec.data.intake.spilled_table import SpilledTable
    from tfadrec.data.intake.workspace import Workspace
    extra["workspace"] = Workspace(pathlib.Path("/nowhere/d"), "dataset")
    table = SpilledTable.of(table, extra["workspace"])
begun = time.process_time()
with_negatives(table, ids, negatives_per_positive=4, strategy="popularity",
               seed=0, ledger=Ledger(), **extra)
print(json.dumps(time.process_time() - begun))
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--other")
    parser.add_argument("files", nargs="*")
    given = parser.parse_args()
    here = pathlib.Path(__file__).parents[1]
    checkouts = {"this": here}
    if given.other:
        checkouts["other"] = pathlib.Path(given.other).absolute()
    print(describe())
    print("Median (smallest to largest) over seeds of the sampler.")
    print(
        "| log | checkout | sampling | before | after | rate | left out | s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for log in ["trend", *given.files]:
            name = pathlib.Path(log).stem
            _write(log, folder / f"{name}.parquet")
            for checkout, root in checkouts.items():
                for way, settings in _WAYS.items():
                    if checkout == "other" and "period" in settings:
                        continue
                    line = _row(folder, name, root, settings)
                    print(f"| {name} | {checkout} | {way} | {line} |")
    seconds: dict[str, list[float]] = {}
    for _ in range(_SEEDS):
        for checkout, root in checkouts.items():
            seconds.setdefault(checkout, []).append(run_in(root, _SAMPLE))
    for checkout, values in seconds.items():
        print(f"1M purchases, {checkout} checkout: {spread(values, ' s')}")


def _row(folder, name, root, settings) -> str:
    found: dict[str, list[float]] = {}
    for seed in range(_SEEDS):
        config = folder / "config.yaml"
        log = {
            "file": f"{name}.parquet",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "time",
            "request_id": "request",
        }
        content = {
            "ads": {
                "file": f"{name}.parquet",
                "deduplicate": True,
                "ad_id": "ad",
            },
            "impressions": log,
            "sampling": {"negatives_per_positive": 4, "seed": seed} | settings,
        }
        config.write_text(yaml.safe_dump(content))
        told = run_in(root, _PREPARE, config, folder / "out")
        found.setdefault("s", []).append(told["seconds"])
        for score, value in _figures(folder / "out").items():
            found.setdefault(score, []).append(value)
    figures = [
        f"{np.median(v):.3f} ({min(v):.3f} to {max(v):.3f})"
        for v in (found[score] for score in _SCORES)
    ]
    left = f"{np.median(found['left out']):.2%}"
    return " | ".join([*figures, left, f"{np.median(found['s']):.1f}"])


def _figures(dataset: pathlib.Path) -> dict[str, float]:
    """The AUC of the three scores, by plain sums and scikit-learn."""
    rows = pq.read_table(dataset / "impressions.parquet")
    ads = rows["ad_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    times, labels = rows["timestamp"].to_numpy(), rows["clicked"].to_numpy()
    order = np.lexsort((times, ads))
    ads, times, labels = ads[order], times[order], labels[order]
    sums = np.concatenate([[0], np.cumsum(labels)])
    new_ad = np.diff(ads, prepend=-1) != 0
    new_time = new_ad | (np.diff(times, prepend=times[0]) != 0)
    ad_starts, time_starts = np.flatnonzero(new_ad), np.flatnonzero(new_time)
    ad, time = np.cumsum(new_ad) - 1, np.cumsum(new_time) - 1
    ad_ends = np.append(ad_starts[1:], len(ads))
    time_ends = np.append(time_starts[1:], len(ads))
    train = times < np.sort(times)[int(0.8 * len(times))]
    shown = np.bincount(ads, train)
    rates = np.bincount(ads, train & (labels == 1)) / np.maximum(shown, 1)
    rates[shown == 0] = labels[train].mean()
    return {
        "before": roc_auc_score(
            labels, sums[time_starts[time]] - sums[ad_starts[ad]]
        ),
        "after": roc_auc_score(
            labels, sums[ad_ends[ad]] - sums[time_ends[time]]
        ),
        "rate": roc_auc_score(labels[~train], rates[ads[~train]]),
        "left out": 1 - (1 / labels.mean() - 1) / 4,
    }


def _write(log: str, path: pathlib.Path) -> None:
    """The log as user, ad, request and time."""
    rng = np.random.default_rng(0)
    if log == "trend":
        # Few ads sell most.
        ads = (2000 * rng.random(100_000) ** 3).astype(int)
        peaks, widths = rng.uniform(0, _YEAR, 2000), rng.uniform(5, 60, 2000)
        days = rng.normal(peaks[ads], widths[ads]) % _YEAR
        users, times = rng.integers(0, 5000, len(ads)), days * _DAY
        requests = np.arange(len(ads))
    else:
        raw = pq.read_table(log)
        names = raw.column_names
        if "InvoiceNo" in names:
            ads, users, requests = (
                raw[name].to_numpy()
                for name in ("StockCode", "CustomerID", "InvoiceNo")
            )
            times = raw["InvoiceDate"].to_numpy().astype("datetime64[s]")
        elif "item" in names:
            phone = pc.equal(raw["domain"], "phone").to_numpy().astype(int)
            ads = 2 * raw["item"].to_numpy() + phone
            users = 2 * raw["user"].to_numpy() + phone
            order = np.argsort(users, kind="stable")
            ads, users = ads[order], users[order]
            first = np.searchsorted(users, users)
            days = np.arange(len(users)) - first
            times = days * _DAY + rng.integers(0, _DAY, len(users))
            requests = np.arange(len(users))
        else:
            ads, users = raw["artistID"].to_numpy(), raw["userID"].to_numpy()
            times = rng.integers(0, _YEAR * _DAY, len(ads))
            requests = np.arange(len(ads))
    table = pa.table(
        {
            "ad": pa.array(ads).cast(pa.string()),
            "user": users,
            "request": pa.array(requests).cast(pa.string()),
            "time": times.astype(np.int64),
        }
    )
    pq.write_table(table.sort_by("time"), path)


if __name__ == "__main__":
    main()
