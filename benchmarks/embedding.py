"""What a step on a large embedding costs, by optimiser and vocabulary.

    python benchmarks/embedding.py

A table [rows, 16] and batches of 4096 x 50 ids, drawn evenly, so that nearly
every id of a batch is another row. Each pair of optimiser and size has a
process of its own, once with the pages of memory that Linux gives unasked, and
once with huge ones, for which the C library is told to ask.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
from machine import describe, spread

_WIDTH, _IDS = 16, 4096 * 50
_STEPS, _SEED = 15, 0
_MILLION = 1_000_000
_CASES = (
    ("Adagrad", 2 * _MILLION),
    ("Adam", 2 * _MILLION),
    ("LazyAdam", 2 * _MILLION),
    ("Adagrad", 20 * _MILLION),
    ("LazyAdam", 20 * _MILLION),
)
_PAGES = {
    "small pages": {},
    "huge pages": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
}


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if len(sys.argv) == 3:
        print(json.dumps(_steps(sys.argv[1], int(sys.argv[2]))))
        return
    print(describe())
    for pages, environment in _PAGES.items():
        _compare(pages, environment)


def _compare(pages: str, environment: dict[str, str]) -> None:
    medians = {}
    for optimizer, rows in _CASES:
        done = subprocess.run(
            [sys.executable, __file__, optimizer, str(rows)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **environment},
        )
        found = json.loads(done.stdout.splitlines()[-1])
        medians[optimizer, rows] = statistics.median(found["ms"])
        print(
            f"{pages}: {optimizer:9} {rows // _MILLION:3}M rows: "
            f"{spread(found['ms'], ' ms/step')}, peak {found['gb']:.1f} GB",
            flush=True,
        )
    small, large = 2 * _MILLION, 20 * _MILLION
    lazy = medians["LazyAdam", small]
    adagrad = medians["Adagrad", small]
    print(f"{pages}: LazyAdam / Adagrad, 2M: {lazy / adagrad:.2f}")
    print(
        f"{pages}: LazyAdam, 20M / 2M: {medians['LazyAdam', large] / lazy:.2f}"
    )


def _steps(name: str, rows: int) -> dict:
    """Milliseconds of each step, and the process's peak memory."""
    from tfadrec import optimizers
    from tfadrec.core.door import keras, tf

    made = getattr(optimizers, name, None) or getattr(keras.optimizers, name)
    optimizer = made(0.01)
    table = tf.Variable(tf.zeros([rows, _WIDTH]), name="embedding")
    optimizer.build([table])

    @tf.function
    def step(ids):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(tf.gather(table, ids) - 1.0))
        gradient = tape.gradient(loss, table)
        optimizer.apply_gradients([(gradient, table)])
        return loss

    random = np.random.default_rng(_SEED)
    times = []
    for _ in range(3 + _STEPS):
        ids = tf.constant(random.integers(0, rows, _IDS, np.int32))
        begun = time.perf_counter()
        step(ids).numpy()
        times.append(1000 * (time.perf_counter() - begun))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"ms": times[3:], "gb": peak}


if __name__ == "__main__":
    main()
