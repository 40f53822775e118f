"""What a step on a large embedding costs, by optimiser and vocabulary.

    python benchmarks/embedding.py

A table [rows, 16] and batches of 4096 x 50 ids, drawn evenly, so that nearly
every id of a batch is another row. Each pair of optimiser and size has a
process of its own, once with the pages of memory that Linux gives unasked, and
once with huge ones, for which the C library is told to ask.

    python benchmarks/embedding.py dynamic

The same of `DynamicIdEmbedding` by LazyAdam, whose table is filled first: with
0.2M and 20M live ids, of which a batch has 4096 as of users, or 4096 x 50.
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
    if len(sys.argv) == 4:
        print(json.dumps(_dynamic(int(sys.argv[2]), int(sys.argv[3]))))
        return
    if len(sys.argv) == 3:
        print(json.dumps(_steps(sys.argv[1], int(sys.argv[2]))))
        return
    print(describe())
    if sys.argv[1:] == ["dynamic"]:
        _compare_dynamic()
        return
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


def _compare_dynamic() -> None:
    for count in (4096, _IDS):
        medians = []
        for live in (_MILLION // 5, 20 * _MILLION):
            call = [sys.executable, __file__, "dynamic", str(live), str(count)]
            done = subprocess.run(
                call, capture_output=True, text=True, check=True
            )
            found = json.loads(done.stdout.splitlines()[-1])
            medians.append(statistics.median(found["ms"]))
            print(
                f"{count:6} ids, {live / _MILLION:.1f}M live: "
                f"{spread(found['ms'], ' ms/step')}, peak {found['gb']:.1f} GB",
                flush=True,
            )
        print(f"{count:6} ids, 20M / 0.2M: {medians[1] / medians[0]:.2f}")


def _dynamic(live: int, count: int) -> dict:
    """The same of a table that has so many ids, with batches of `count`."""
    from tfadrec import layers, optimizers
    from tfadrec.core.door import keras, tf
    from tfadrec.models.training_step import training_step

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.ids = layers.DynamicIdEmbedding(live * 5 // 4, _WIDTH)

        def compute_loss(self, inputs, training=None):
            found = self.ids(inputs, training=training)
            return tf.reduce_sum(tf.square(found["vector"] - 1.0))

    model = Model()
    model.compile(optimizers.LazyAdam(0.01))
    step = tf.function(lambda ids: training_step(model, ids))
    for first in range(0, live, _IDS):
        step(tf.range(first + 1, min(first + _IDS, live) + 1, dtype=tf.int64))
    random = np.random.default_rng(_SEED)
    times = []
    for _ in range(3 + _STEPS):
        ids = tf.constant(random.integers(1, live + 1, count))
        begun = time.perf_counter()
        step(ids)
        model.optimizer.iterations.numpy()
        times.append(1000 * (time.perf_counter() - begun))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"ms": times[3:], "gb": peak}


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
