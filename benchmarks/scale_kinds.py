"""What `prepare` costs by the kind of log: memory and time for each row.

    python benchmarks/scale_kinds.py
    python benchmarks/scale_kinds.py --rows 250000 1000000 --smaller 16

Made-up logs of two sizes. Each is prepared in a process of its own, which tells
its rows per second of processor time and its largest resident memory; the
memory for each row is what the larger log takes more. The kinds: Parquet; the
same as JSON Lines; purchases with sampled negatives (of which a row is a
purchase); impressions with histories of twenty ads in a column; with splits
that are drawn by request; and with ads that are read off the log.

With `--smaller` all that bounds batches and parts is so many times smaller, so
that a log of so many times fewer rows tells what grows.
"""

import argparse
import pathlib
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from machine import describe, run_in

_SEED = 0
_PART = 1 << 17
_HISTORY = 20
_ADS = "ads: {file: ads.parquet, ad_id: ad, title: ad}"
_EVENTS = """
events: {file: events.END, user_id: user, ad_id: ad, timestamp: time,
  event_type: {constant: view}}
"""
_ROWS = """
impressions: {file: rows.END, user_id: user, ad_id: ad, timestamp: time,
  features: {device: category, hour: number}, MORE}
"""
_LABEL = "clicked: clicked"
_SAMPLING = """
sampling: {negatives_per_positive: 2, strategy: popularity, period: auto,
  seed: 0}
"""
_KINDS = {
    "parquet": _ADS + _EVENTS + _ROWS.replace("MORE", _LABEL),
    "jsonl": (_ADS + _EVENTS + _ROWS.replace("MORE", _LABEL)).replace(
        "END", "jsonl"
    ),
    "sampled": _ADS + _EVENTS + _ROWS.replace(", MORE", "") + _SAMPLING,
    "histories": _ADS
    + _ROWS.replace("MORE", f"{_LABEL}, history: {{column: history}}"),
    "splits": _ADS
    + _EVENTS
    + _ROWS.replace(
        "MORE",
        f"{_LABEL}, request_id: request, split: {{valid: 0.1, test: 0.1}}",
    ),
    "ads": "ads: {file: rows.END, ad_id: ad, title: ad, deduplicate: true}"
    + _EVENTS
    + _ROWS.replace("MORE", _LABEL),
}
_PREPARE = """
import json, sys, time
from tfadrec.data.intake import limits
from tfadrec.data.sources import hands, prepare_table
folder, kind, smaller = sys.argv[1], sys.argv[2], int(sys.argv[3])
hands.PLACES //= smaller
for name, value in vars(limits).items():
    if name.isupper():
        setattr(limits, name, value // smaller)
begun = time.process_time()
prepare_table(f"{folder}/{kind}.yaml", f"{folder}/data")
seconds = time.process_time() - begun
with open("/proc/self/status") as file:
    line = next(line for line in file if "VmHWM" in line)
peak = int(line.split()[1]) * 1024
print(json.dumps({"seconds": seconds, "peak": peak}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=int, nargs=2, default=(2_000_000, 4_000_000)
    )
    parser.add_argument("--kinds", nargs="+", default=list(_KINDS))
    parser.add_argument("--smaller", type=int, default=1)
    parser.add_argument("--folder", help="where to write; a temporary folder")
    arguments = parser.parse_args()
    print(describe())
    found = [_prepared(rows, arguments) for rows in arguments.rows]
    few, many = arguments.rows
    for kind in arguments.kinds:
        one, two = (run[kind] for run in found)
        grown = (two["peak"] - one["peak"]) / (many - few)
        print(
            f"{kind:9} {many / two['seconds']:9,.0f} rows/s, peak "
            f"{one['peak'] / 2**30:5.2f} and {two['peak'] / 2**30:5.2f} GiB, "
            f"{grown:5.0f} bytes a row"
        )


def _prepared(rows: int, arguments: argparse.Namespace) -> dict:
    here = pathlib.Path(__file__).parents[1]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as made:
        folder = pathlib.Path(made)
        _write(folder, rows, arguments.kinds)
        found = {}
        for kind in arguments.kinds:
            given = map(pathlib.Path, (kind, str(arguments.smaller)))
            told = run_in(here, _PREPARE, folder, *given)
            print(f"{rows:,} {kind}: {told}", flush=True)
            found[kind] = told
        return found


def _write(folder: pathlib.Path, rows: int, kinds: list[str]) -> None:
    rng = np.random.default_rng(_SEED)
    users, ads = 50_000, 10_000
    for kind in kinds:
        text = _KINDS[kind].replace("END", "parquet")
        (folder / f"{kind}.yaml").write_text(f"name: made\n{text}")
    named = pa.array([f"ad{n}" for n in range(ads)])
    pq.write_table(pa.table({"ad": named}), folder / "ads.parquet")
    for name in ("events", "rows"):
        (folder / f"{name}.parquet").mkdir()
        for number, begin in enumerate(range(0, rows, _PART)):
            size = min(_PART, rows - begin)
            columns = _log(rng, users, named, begin, size)
            if name == "rows":
                columns |= _shown(rng, named, begin, size)
            table = pa.table(columns)
            file = folder / f"{name}.parquet" / f"{number:05d}.parquet"
            pq.write_table(table, file)
            if "jsonl" in kinds:
                _add_lines(table, folder / f"{name}.jsonl")


def _log(rng, users: int, ads: pa.Array, begin: int, size: int) -> dict:
    return {
        "user": rng.integers(0, users, size),
        "ad": ads.take(pa.array(rng.integers(0, len(ads), size))),
        "time": 10**9 + begin + np.sort(rng.integers(0, _PART, size)),
    }


def _shown(rng, ads: pa.Array, begin: int, size: int) -> dict:
    ends = np.arange(0, _HISTORY * size + 1, _HISTORY, dtype=np.int32)
    entries = ads.take(pa.array(rng.integers(0, len(ads), _HISTORY * size)))
    return {
        "request": [f"r{n // 4}" for n in range(begin, begin + size)],
        "clicked": (rng.random(size) < 0.1).astype(np.int8),
        "device": pa.array(["phone", "web", "tv"]).take(
            pa.array(rng.integers(0, 3, size))
        ),
        "hour": rng.integers(0, 24, size),
        "history": pa.ListArray.from_arrays(pa.array(ends), entries),
    }


def _add_lines(table: pa.Table, path: pathlib.Path) -> None:
    """The rows as JSON, without lists and requests."""
    pieces: list[str | pa.Array] = []
    for name in table.column_names:
        if name in ("history", "request"):
            continue
        column = table[name].combine_chunks()
        quote = '"' if pa.types.is_string(column.type) else ""
        before = f', "{name}": {quote}'
        pieces += [before, column.cast(pa.string()), quote]
    lines = pc.binary_join_element_wise("{", *pieces, "}", "")
    lines = pc.replace_substring(lines, "{, ", "{")
    with path.open("a") as file:
        file.write("\n".join(lines.to_pylist()) + "\n")


if __name__ == "__main__":
    main()
