"""What an index of vectors costs to build, to change and to ask.

    python benchmarks/index.py [ROWS] [CALLS]

Vectors of 64 numbers lie around random centres, and so do the queries that are
measured; others tell how many lists are read. Recall is compared with a sort of
all inner products. A SavedModel of the index answers through TensorFlow's C
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

_CHILD = """
import json, pathlib, re, sys
import numpy as np
from tfadrec.native.bundle_session import BundleSession
from tfadrec.native.replay import measure
session = BundleSession(pathlib.Path(sys.argv[1]))
queries = np.load(sys.argv[2])
k, without = np.int32(100), np.zeros([1, 0], np.int32)
none, some = np.full([1, 1], -1, np.int32), np.full([1, 1], 3, np.int32)
def told(codes):
    calls = [
        session.call("search", {"queries": query[None], "k": k,
            "without": without, "brand": codes})
        for query in queries
    ]
    took = [measure([call], 3, 9.0) for call in calls]
    p50s = [each["p50_ms"] for each in took]
    return [float(x) for x in np.percentile(p50s, (50, 99))]
status = open("/proc/self/status").read
found = dict(plain=told(none), filtered=told(some))
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
    from tfadrec.core.door import tf

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
    brand = random.integers(1, 101, rows + 1).astype(np.int32)
    begun = time.perf_counter(), time.process_time()
    index = retrieval.build_index(
        vectors, columns={"brand": brand}, queries=tuned
    )
    print(
        f"{rows:,} rows: built in {time.perf_counter() - begun[0]:.1f} s, "
        f"processor {time.process_time() - begun[1]:.1f} s; reads "
        f"{index.probes} lists of {round(2 * rows**0.5)}",
        flush=True,
    )
    found = [index.search(q[None], _K)[0].numpy()[0] for q in queries]
    best = [
        1 + np.argpartition(-(vectors[1:] @ q), _K - 1)[:_K] for q in queries
    ]
    shares = [np.isin(b, f).mean() for b, f in zip(best, found, strict=True)]
    print(f"recall@{_K} {np.mean(shares):.4f} of {calls} queries", flush=True)
    begun = time.perf_counter(), time.process_time()
    new = np.arange(rows + 1, rows + 1 + _NEW, dtype=np.int32)
    index.put(new, made(_NEW), {"brand": np.ones(_NEW, np.int32)})
    print(
        f"+{_NEW:,} rows in {time.perf_counter() - begun[0]:.2f} s, processor "
        f"{time.process_time() - begun[1]:.2f} s",
        flush=True,
    )
    holder = tf.Module()
    holder.index = index

    def search(queries, k, without, brand):
        rows, scores = index.search(queries, k, without, {"brand": brand})
        return {"rows": rows, "scores": scores}

    integers = tf.TensorSpec([None, None], tf.int32)
    signature = tf.function(search).get_concrete_function(
        tf.TensorSpec([None, _WIDTH], tf.float32, "queries"),
        tf.TensorSpec([], tf.int32, "k"),
        *(integers, integers),
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
    for name in ("plain", "filtered"):
        p50, p99 = told[name]
        print(f"C library, {name}: {p50:.2f} ms, the slowest of 100 {p99:.2f}")
    print(f"peak memory of that process {told['gigabytes']:.2f} GB")


if __name__ == "__main__":
    main()
