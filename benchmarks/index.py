"""What an index of vectors costs to build, to change and to ask.

    python benchmarks/index.py [ROWS] [CALLS]

Vectors of 64 numbers lie around random centres, and so do the queries that are
measured; others tell how many lists are read. Recall is compared with a sort of
all inner products: of an index that keeps vectors, of those that keep 8, 16 and
32 bytes of each, and, where it is installed, of faiss' IndexIVFPQ with as many
lists, read as often. A SavedModel of the index answers through TensorFlow's C
library, in a process without TensorFlow's Python, one query at a time.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from machine import describe

_WIDTH, _CENTRES, _SPREAD, _K, _QUERIES, _NEW, _SEED = (
    64,
    500,
    0.7,
    100,
    200,
    10_000,
    0,
)
_CODES = (None, 8, 16, 32)
#: Shares of the rows that have expired at some moments: at 1 none has.
_EXPIRED = {2: 0.01, 3: 0.1, 4: 0.5}

_CHILD = """
import json, pathlib, re, sys, time
import numpy as np
from tfadrec.native.bundle_session import BundleSession
session = BundleSession(pathlib.Path(sys.argv[1]))
queries = np.load(sys.argv[2])
k, without = np.int32(100), np.zeros([1, 0], np.int32)
none, some = np.full([1, 1], -1, np.int32), np.full([1, 1], 3, np.int32)
ten = np.arange(1, 11, dtype=np.int32)[None]
def told(codes, now=1):
    calls = [
        session.call("search", {"queries": query[None], "k": k,
            "without": without, "brand": codes, "now": np.array([now])})
        for query in queries
    ]
    for call in calls[:5]:
        call.run()
    passed, used = [], time.process_time()
    for call in calls:
        begun = time.perf_counter()
        call.run()
        passed.append(1e3 * (time.perf_counter() - begun))
    used = 1e3 * (time.process_time() - used) / len(calls)
    return [used, *(float(x) for x in np.percentile(passed, (50, 99)))]
status = open("/proc/self/status").read
found = {"plain": told(none), "half expired": told(none, 4),
    "1 % allowed": told(some), "10 % allowed": told(ten)}
found["gigabytes"] = int(re.search(r"VmHWM:\\s+(\\d+)", status())[1]) / 1e6
assert "tensorflow" not in sys.modules
print(json.dumps(found))
"""


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    calls = int(sys.argv[2]) if len(sys.argv) > 2 else _QUERIES
    print(describe(), flush=True)
    from tfadrec import retrieval

    random = np.random.default_rng(_SEED)
    centres = random.standard_normal((_CENTRES, _WIDTH), np.float32)

    def made(count):
        found = centres[random.integers(_CENTRES, size=count)]
        found += _SPREAD * random.standard_normal(found.shape, np.float32)
        # Lengths differ, as those of ads do.
        return found * np.exp(0.3 * random.standard_normal((count, 1))).astype(
            np.float32
        )

    vectors, tuned, queries = made(rows + 1), made(256), made(calls)
    new = made(_NEW)
    brand = random.integers(1, 101, rows + 1).astype(np.int32)
    until = np.full(rows + 1, retrieval.FOREVER)
    drawn = random.random(rows + 1)
    for moment, share in sorted(_EXPIRED.items(), reverse=True):
        until[drawn < share] = moment
    best = _best(vectors, queries, until)
    probes = 0
    for codes in _CODES:
        print(f"\n{codes or 4 * _WIDTH} bytes", flush=True)
        begun = time.perf_counter(), time.process_time()
        index = retrieval.build_index(
            vectors,
            columns={"brand": brand},
            until=until,
            queries=tuned,
            codes=codes,
        )
        probes = index.probes
        size = sum(np.asarray(v.numpy()).nbytes for v in index.variables)
        print(
            f"{rows:,} rows: built in {_since(begun)}; reads {probes} lists of "
            f"{round(2 * rows**0.5)}; {size / rows:.0f} bytes a row",
            flush=True,
        )
        for moment, wanted in best.items():
            now = np.array([moment])
            found = [
                index.search(q[None], _K, now=now)[0].numpy()[0]
                for q in queries
            ]
            share = _EXPIRED.get(moment, 0)
            _print_recall(f"{share:.0%} expired", found, wanted)
        begun = time.perf_counter(), time.process_time()
        more = np.arange(rows + 1, rows + 1 + _NEW, dtype=np.int32)
        index.put(more, new, {"brand": np.ones(_NEW, np.int32)})
        print(f"+{_NEW:,} rows in {_since(begun)}", flush=True)
        begun = time.perf_counter(), time.process_time()
        index.remove(more)
        print(f"-{_NEW:,} rows in {_since(begun)}", flush=True)
        _ask(index, queries)
        del index
    _compare(vectors, queries, best[1], probes)


def _best(vectors, queries, until):
    """The best rows of each query at each moment."""
    best = {}
    for moment in (1, *_EXPIRED):
        is_open = until[1:] > moment
        best[moment] = []
        for query in queries:
            scores = np.where(is_open, vectors[1:] @ query, -np.inf)
            best[moment].append(1 + np.argpartition(-scores, _K - 1)[:_K])
    return best


def _since(begun):
    passed = time.perf_counter() - begun[0]
    return f"{passed:.2f} s, processor {time.process_time() - begun[1]:.2f} s"


def _print_recall(name, found, best):
    shares = [np.isin(b, f).mean() for b, f in zip(best, found, strict=True)]
    print(
        f"recall@{_K} {np.mean(shares):.4f} of {len(found)} queries, {name}",
        flush=True,
    )


def _ask(index, queries):
    """What answers take in TensorFlow's C library."""
    from tfadrec.core.door import tf

    holder = tf.Module()
    holder.index = index

    def search(queries, k, without, brand, now):
        rows, scores = index.search(queries, k, without, {"brand": brand}, now)
        return {"rows": rows, "scores": scores}

    integers = tf.TensorSpec([None, None], tf.int32)
    signature = tf.function(search).get_concrete_function(
        tf.TensorSpec([None, _WIDTH], tf.float32, "queries"),
        tf.TensorSpec([], tf.int32, "k"),
        *(integers, integers),
        tf.TensorSpec([None], tf.int64, "now"),
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(holder, folder, {"search": signature})
        file = pathlib.Path(folder, "queries.npy")
        np.save(file, queries)
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, folder, file],
            capture_output=True,
            text=True,
            check=True,
        )
    told = json.loads(done.stdout.splitlines()[-1])
    gigabytes = told.pop("gigabytes")
    for name, (used, p50, p99) in told.items():
        print(
            f"C library, {name}: processor {used:.2f} ms; passed, median "
            f"{p50:.2f}, the slowest of 100 {p99:.2f}"
        )
    print(f"peak memory of that process {gigabytes:.2f} GB", flush=True)


def _compare(vectors, queries, best, probes):
    """The same lists, bytes and reads in faiss."""
    try:
        import faiss
    except ImportError:
        print("\nfaiss is not installed")
        return
    rows = len(vectors) - 1
    for codes in _CODES[1:]:
        begun = time.perf_counter(), time.process_time()
        coarse = faiss.IndexFlatIP(_WIDTH)
        index = faiss.IndexIVFPQ(
            *(coarse, _WIDTH, round(2 * rows**0.5), codes, 8),
            faiss.METRIC_INNER_PRODUCT,
        )
        index.train(vectors[1 : 1 + 64 * round(2 * rows**0.5)])
        index.add(vectors[1:])
        index.nprobe = probes
        print(f"\nfaiss, {codes} bytes: built in {_since(begun)}", flush=True)
        used = time.process_time()
        _, found = index.search(queries, _K)
        used = 1e3 * (time.process_time() - used) / len(queries)
        _print_recall(f"processor {used:.2f} ms a query", 1 + found, best)
        _, some = index.search(queries, 4 * _K)
        again = [
            s[np.argsort(-(vectors[1 + s] @ q))[:_K]]
            for s, q in zip(some, queries, strict=True)
        ]
        _print_recall(
            f"the best {4 * _K} scored again", 1 + np.array(again), best
        )


if __name__ == "__main__":
    main()
