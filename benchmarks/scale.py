"""What a log of many rows costs: prepare, open, train, evaluate.

    python benchmarks/scale.py                     # a million rows
    python benchmarks/scale.py --rows 10000000 --users 500000 --ads 100000
    python benchmarks/scale.py --rows 10000000 --only prepare

Made-up impressions, and as many events, in Parquet files of a million rows; a
category and a number of users, ads, events and the context. Each step is a
process of its own; `train` reads rows of large logs in the order that `tfadrec
train` moves them into. It tells impressions per second of processor time and of
the time that passes, its largest resident memory, and how much of what is
resident at its end is mapped columns: the system takes that back where memory
is short. `batches` compares batches of the mapped files with batches of the
same arrays in memory, in turn. `checkpoints` is a run of three epochs of
`--steps` steps, with ids 16 wide: what its files take between them.
"""

import argparse
import pathlib
import statistics
import tempfile
import time

import numpy as np
from machine import describe, run_in

_SEED = 0
_PART = 1_000_000
_BATCH = 4096
_ROUNDS = 5

_TABLE = """
name: made
ads: {file: ads.parquet, ad_id: ad, title: title,
  features: {brand: category, price: number}}
users: {file: users.parquet, user_id: user,
  features: {country: category, age: number}}
events: {file: events, user_id: user, ad_id: ad, timestamp: time,
  event_type: kind, features: {dwell: number}}
impressions: {file: rows, user_id: user, ad_id: ad, timestamp: time,
  clicked: clicked, features: {device: category, hour: number}}
"""
_RANKER = """
text: null
ad_tower: {width: 8}
encoder: {class: DIN, hidden_units: [16]}
ranker: {hidden_units: [32]}
optimizer: {class: LazyAdam}
data: {history_length: 50}
"""

#: What every step begins with: `said` prints what it has cost.
_COMMON = """
import json, sys, time
import numpy as np
folder, rows, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def kibibytes(line):
    return int(line.split()[1])

def memory():
    with open("/proc/self/status") as file:
        peak = next(kibibytes(line) for line in file if "VmHWM" in line)
    mapped, is_column = 0, False
    with open("/proc/self/smaps") as file:
        for line in file:
            if not line.split()[0].endswith(":"):
                is_column = line.rstrip().endswith(".npy")
            elif is_column and line.startswith("Rss:"):
                mapped += kibibytes(line)
    return peak / 1024**2, mapped / 1024**2

def clocks():
    return np.array([time.process_time(), time.perf_counter()])

def said(count, begun, **more):
    seconds = [float(spent) for spent in clocks() - begun]
    peak, mapped = memory()
    told = {"rows": count, "seconds": seconds, "peak": peak, "mapped": mapped}
    print(json.dumps(told | more))
"""
_OPEN = """
from tfadrec import data
def opened():
    dataset = data.open_dataset(f"{folder}/data").with_history_length(50)
    return data.split_by_time(dataset)
"""
_MODEL = """
from tfadrec import training
from tfadrec.core.config import RunConfig
def ranker(part):
    config = RunConfig.from_yaml(open(f"{folder}/ranker.yaml").read())
    return training.build_ranker(config, part)
"""
_STEPS = {
    "prepare": """
from tfadrec.data.sources import prepare_table
begun = clocks()
prepare_table(f"{folder}/table.yaml", f"{folder}/data")
said(rows, begun)
""",
    "open": f"""
import tfadrec
{_OPEN}
begun = clocks()
parts = opened()
said(rows, begun)
""",
    "batches": f"""
import dataclasses
{_OPEN}
train = opened()[0]
def copied(part):
    if isinstance(part, dict):
        return {{name: copied(value) for name, value in part.items()}}
    return None if part is None else np.array(part)
held = dataclasses.replace(train, users=copied(dict(train.users)), **{{
    name: type(part)(**copied(vars(part)))
    for name, part in (
        ("events", train.events), ("impressions", train.impressions)
    )
}})
found = {{"mapped": [], "held": []}}
for number in range({_ROUNDS}):
    for name, part in (("mapped", train), ("held", held)):
        stream = iter(part.batches({_BATCH}, seed=number))
        for _ in range(5):
            next(stream)
        begun = time.process_time()
        for _ in range(50):
            next(stream)
        found[name].append(50 / (time.process_time() - begun))
said(1, clocks(), found=found)
""",
    "train": f"""
import pathlib
from tfadrec.data.by_user import by_user
{_OPEN}{_MODEL}
train = opened()[0]
model = ranker(train)
begun = clocks()
with by_user(train, pathlib.Path(folder) / "run") as rows:
    moved = clocks() - begun
    batches = rows.batches({_BATCH}, seed=0)
    model.fit(batches, steps_per_epoch=3, verbose=0)
    begun = clocks()
    model.fit(batches, steps_per_epoch=steps, verbose=0)
    said(steps * {_BATCH}, begun, moved=list(moved))
""",
    "checkpoints": f"""
import pathlib
from tfadrec.training.saved_state import SavedState
{_OPEN}{_MODEL}
train, valid, _ = opened()
config = RunConfig.from_yaml(
    open(f"{{folder}}/ranker.yaml").read().replace("width: 8", "width: 16")
)
model = training.build_ranker(config, train)
place = pathlib.Path(folder) / "run"
found = []
def timed(name):
    real = getattr(SavedState, name)
    def call(state, *given):
        begun = clocks()
        real(state, *given)
        spent = list(clocks() - begun)
        own = f"checkpoints/epoch-{{len(state.history):04}}.*"
        sizes = [f.stat().st_size for f in place.glob(own)]
        found.append([name.strip("_"), sum(sizes), *spent])
    setattr(SavedState, name, call)
timed("add")
timed("_restore")
begun = clocks()
training.fit(
    model, train, valid.select(np.arange(min(len(valid), 10_000))), place,
    batch_size={_BATCH}, epochs=3, steps_per_epoch=steps, patience=3,
    progress=False,
)
said(3 * steps * {_BATCH}, begun, found=found,
     model=(place / "model.keras").stat().st_size)
""",
    "evaluate": f"""
from tfadrec import evaluation
{_OPEN}{_MODEL}
test = opened()[2]
test = test.select(np.arange(min(len(test), 1_000_000)))
model = ranker(test)
begun = clocks()
evaluation.evaluate(model, test)
said(len(test), begun)
""",
}


def main() -> None:
    arguments = _arguments()
    print(describe())
    print(
        f"{arguments.rows:,} impressions and as many events, "
        f"{arguments.users:,} users, {arguments.ads:,} ads; batches of {_BATCH}"
    )
    with tempfile.TemporaryDirectory(dir=arguments.folder) as made:
        folder = pathlib.Path(made)
        begun = time.perf_counter()
        _write(folder, arguments.rows, arguments.users, arguments.ads)
        print(f"made up in {time.perf_counter() - begun:,.0f} s")
        _measure(folder, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--ads", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--only", nargs="+", choices=_STEPS, default=_STEPS)
    parser.add_argument("--folder", help="where to write; a temporary folder")
    return parser.parse_args()


def _measure(folder: pathlib.Path, arguments: argparse.Namespace) -> None:
    here = pathlib.Path(__file__).parents[1]
    numbers = map(str, (arguments.rows, arguments.steps))
    given = [folder, *map(pathlib.Path, numbers)]
    for name, code in _STEPS.items():
        if name not in arguments.only:
            continue
        told = run_in(here, _COMMON + code, *given)
        of_processor, passing = (told["rows"] / s for s in told["seconds"])
        rate = f"{of_processor:,.0f} and {passing:,.0f} rows/s"
        if name == "checkpoints":
            for what, size, processor, passed in told["found"]:
                print(
                    f"{what:9} epoch of {size / 1e6:,.0f} MB: {processor:.1f} "
                    f"s of the processor, {passed:.1f} s"
                )
            print(f"model.keras of {told['model'] / 1e6:,.0f} MB")
        if name == "batches":
            of_way = {k: statistics.median(v) for k, v in told["found"].items()}
            ratio = of_way["mapped"] / of_way["held"]
            rate = f"{ratio:.2f} of in memory"
        if "moved" in told:
            print(
                "rows moved into the order of users in {:.0f} s of the "
                "processor, {:.0f} s".format(*told["moved"])
            )
        print(
            f"{name:9} {rate:>32}, peak {told['peak']:5.2f} GiB, mapped "
            f"{told['mapped']:5.2f} GiB",
            flush=True,
        )
    size = sum(f.stat().st_size for f in (folder / "data").rglob("*"))
    print(f"dataset   {size / 1024**3:28.2f} GiB")


def _write(folder: pathlib.Path, rows: int, users: int, ads: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(_SEED)

    def some(letter, count, size):
        names = pa.array([f"{letter}{n}" for n in range(count)])
        return names.take(pa.array(random.integers(0, count, size)))

    (folder / "table.yaml").write_text(_TABLE)
    (folder / "ranker.yaml").write_text(_RANKER)
    of_ads = {
        "ad": np.arange(ads),
        "title": some("title ", 5000, ads),
        "brand": some("b", 500, ads),
        "price": random.lognormal(size=ads),
    }
    of_users = {
        "user": np.arange(users),
        "country": some("c", 100, users),
        "age": random.integers(15, 90, users),
    }
    pq.write_table(pa.table(of_ads), folder / "ads.parquet")
    pq.write_table(pa.table(of_users), folder / "users.parquet")
    for name in ("events", "rows"):
        (folder / name).mkdir()
        for number, begin in enumerate(range(0, rows, _PART)):
            size = min(_PART, rows - begin)
            # A log is written in the order of its times.
            times = 10**9 + begin + np.sort(random.integers(0, _PART, size))
            columns = {
                "user": random.integers(0, users, size),
                "ad": random.integers(0, ads, size),
                "time": times,
            }
            if name == "events":
                columns["kind"] = some("k", 3, size)
                columns["dwell"] = random.integers(0, 500, size)
            else:
                clicked = random.random(size) < 0.1
                columns["clicked"] = clicked.astype(np.int8)
                columns["device"] = some("d", 20, size)
                columns["hour"] = random.integers(0, 24, size)
            file = folder / name / f"part-{number:05d}.parquet"
            pq.write_table(pa.table(columns), file)


if __name__ == "__main__":
    main()
