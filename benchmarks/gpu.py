"""How fast rankers train on a GPU, and what share of the time it is busy.

    python benchmarks/gpu.py                    # all parts, ten minutes
    python benchmarks/gpu.py mark sweep         # some of them
    python benchmarks/gpu.py --json found.json  # and every figure as JSON

`mark` is near to the configuration of NVIDIA's TensorFlow 2 SIM
(DeepLearningExamples, Amazon Books): 100 events, of which a DIEN with its
auxiliary loss reads the newest 10, and a SIM the 50 of the other 90 that fit
best, events of 32 numbers, a head of (200, 80), batches of 131,072. `table`
trains an `IdEmbedding` alone. `fed` compares batches that lie ready with those
that `Dataset.batches` makes. `package` tries what else a user does:
`training.fit` in each precision, alone and under MirroredStrategy, and an
export. `sweep` trains DIN and SIM at several lengths and sizes of batches.

Made-up ids, drawn evenly, and all histories full. A step is what `fit`
compiles; batches lie in the processor's memory. Without a GPU all runs small on
the CPU, and says so.
"""

import argparse
import contextlib
import dataclasses
import functools
import gc
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from machine import describe, spread

_SEED, _ROUNDS = 0, 5
_POLICIES = ("mixed_bfloat16", "mixed_float16", "float32")
#: Samples/s of one A100 80GB: batch 131,072, mixed precision, XLA; 484,361
#: without XLA, and with TF32 462,013 and 381,211.
_MARK = 571_728
_SHORT = 10  # events that DIEN reads


@dataclasses.dataclass(frozen=True)
class _Sizes:
    """What is measured."""

    lengths: tuple[int, ...] = (50, 200, 1000)
    batches: tuple[int, ...] = (8192, 16384, 32768, 65536)
    users: int = 20_000_000
    ads: int = 370_000
    categories: int = 1_600
    mark: int = 131_072
    lookups: tuple[int, ...] = (204_800, 1_638_400, 6_553_600)
    seconds: float = 0.6  # of a round
    xla: tuple[bool, ...] = (False, True)


_SMALL = _Sizes((12,), (64, 128), 20_000, 500, 20, 256, (1000,), 0.05, (False,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="part")
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in _PARTS:
            parser.error(f"no part {part}; there are {', '.join(_PARTS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tfadrec  # noqa: F401  (chooses the Keras flavour before TensorFlow)
    from tfadrec.core.door import tf

    print(describe())
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        print(tf.config.experimental.get_device_details(gpu))
    if not gpus:
        print("No GPU: small sizes on the CPU, which tell nothing of a GPU.")
    sizes = _Sizes() if gpus else _SMALL
    with _Log(arguments.json, bool(gpus)) as log:
        for part in arguments.parts or _PARTS:
            _PARTS[part](sizes, log)


class _Log:
    """Measures steps, prints what was found, and keeps it.

    The share of the time in which a kernel ran is the driver's own figure,
    sampled ten times a second.
    """

    def __init__(self, path: pathlib.Path | None, has_gpu: bool) -> None:
        self._path = path
        self._has_gpu = has_gpu
        self._seen: list[tuple[float, float]] = []

    def __enter__(self) -> "_Log":
        self._ends = contextlib.ExitStack()
        if self._has_gpu:
            call = ["nvidia-smi", "--query-gpu=utilization.gpu", "-lms", "100"]
            call += ["--format=csv,noheader,nounits", "--id=0"]
            told = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
            self._ends.callback(told.terminate)
            threading.Thread(target=self._watch, args=[told.stdout]).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.close()

    def _watch(self, lines: Iterator[str]) -> None:
        for line in lines:
            self._seen.append((time.perf_counter(), float(line) / 100))

    def tell(self, **found: Any) -> None:
        """Prints one figure, and adds it to the file."""
        shown = {
            key: spread(value, "/s") if key in ("steps", "samples") else value
            for key, value in found.items()
        }
        print(", ".join(f"{k} {v}" for k, v in shown.items()), flush=True)
        if self._path:
            with self._path.open("a") as file:
                file.write(json.dumps(found) + "\n")

    def measure(
        self, step: Callable, batches: list, size: int, seconds: float, **what
    ) -> None:
        """Rounds of steps after a warm-up; tells also what fails."""
        from tfadrec.core.door import tf

        gc.collect()
        if self._has_gpu:
            tf.config.experimental.reset_memory_stats("GPU:0")
        try:
            first, _ = _seconds(step, batches, 2)
            _, each = _seconds(step, batches, 2)
            count = max(2, min(200, round(seconds / each)))
            begun = time.perf_counter()
            rates = [
                1 / _seconds(step, batches, count)[1] for _ in range(_ROUNDS)
            ]
        except tf.errors.OpError as error:
            self.tell(**what, failed=_said(error))
            return
        found = {
            "steps": rates,
            "samples": [rate * size for rate in rates],
            "first_s": first,
        }
        if self._has_gpu:
            memory = tf.config.experimental.get_memory_info("GPU:0")
            found["peak_gb"] = memory["peak"] / 1e9
            # A sample is of the time that came before it.
            seen = [share for at, share in self._seen if at > begun + 0.2]
            found["busy"] = statistics.fmean(seen) if seen else None
        self.tell(**what, **found)


def _seconds(step, batches, count: int) -> tuple[float, float]:
    """The time until some steps' last loss is there, and of each step."""
    begun = time.perf_counter()
    for batch in itertools.islice(itertools.cycle(batches), count):
        (loss,) = step(batch).values()
    loss.numpy()
    passed = time.perf_counter() - begun
    return passed, passed / count


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"


def _ranker(encoder, sizes: _Sizes, length: int, jit: bool = False):
    """A ranker of ids and a category, as those of `behavior.py`."""
    from behavior import make_catalogue

    from tfadrec import models, optimizers, towers
    from tfadrec.core.door import keras

    keras.backend.clear_session()  # lets go of the last one's tables
    keras.utils.set_random_seed(_SEED)
    catalogue = make_catalogue(sizes.ads, sizes.categories)
    ranker = models.AdRanker(
        towers.AdTower(catalogue, 32, id_dropout=0.0, category="category"),
        towers.UserTower(
            encoder,
            num_event_types=2,
            num_users=sizes.users,
            max_length=length,
            id_dropout=0.0,
        ),
        hidden_units=(200, 80),
        cross_layers=0,
        dropout=0.0,
    )
    ranker.build()
    ranker.compile(optimizers.LazyAdam(), jit_compile=jit)
    return ranker


def _step(ranker, batch, jit: bool = False):
    """What `fit` does with a batch, traced once for all sizes of batches.

    XLA fixes shapes, so it compiles each size.
    """
    from tfadrec.core.door import tf

    specs = tf.nest.map_structure(
        lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), batch
    )
    return tf.function(ranker.train_step, [specs], jit_compile=jit)


@functools.cache
def _batches(sizes: _Sizes, length: int, size: int) -> list:
    """Two batches of a user, a full history and a candidate in each row."""
    from tfadrec.core.door import tf

    random = np.random.default_rng(_SEED)
    shape = (size, length)
    made = []
    for _ in range(2):
        inputs = {
            "user_id": random.integers(1, sizes.users, size, np.int32),
            "history_ads": random.integers(1, sizes.ads, shape, np.int32),
            "history_events": np.ones(shape, np.int32),
            "history_ages": random.integers(0, 10**6, shape, np.int32),
            "history_length": np.full(size, length, np.int32),
            "candidate_ads": random.integers(1, sizes.ads, size, np.int32),
        }
        labels = {"clicked": random.integers(0, 2, size).astype(np.float32)}
        with tf.device("CPU:0"):
            made.append(tf.nest.map_structure(tf.constant, (inputs, labels)))
    return made


def _mark(sizes: _Sizes, log: _Log) -> None:
    """NVIDIA's configuration, and the package's own SIM of all 100 events."""
    from tfadrec import layers
    from tfadrec.core.door import keras

    length = 100
    few = dataclasses.replace(sizes, users=min(sizes.users, 544_000))
    batches = _batches(few, length, sizes.mark)
    made = {
        "SIM of 90, DIEN of 10": _long_and_short,
        "SIM of 100": layers.SIM,  # of 50 events by default
    }
    for policy, name, jit in itertools.product(_POLICIES, made, sizes.xla):
        keras.mixed_precision.set_global_policy(policy)
        ranker = _ranker(made[name](), few, length, jit)
        what = {"part": "mark", "model": name, "policy": policy, "xla": jit}
        step = _step(ranker, batches[0], jit)
        log.measure(
            step, batches, sizes.mark, sizes.seconds, **what, mark=_MARK
        )
    keras.mixed_precision.set_global_policy("float32")


def _long_and_short():
    """A SIM of all events but the newest, and a DIEN of these."""
    from tfadrec import layers
    from tfadrec.core.door import keras

    class LongAndShort(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="long_and_short")
            self._long = layers.SIM()
            self._short = layers.DIEN()

        def call(self, inputs, training=None):
            old, new = dict(inputs), dict(inputs)
            for name in ("events", "mask", "ages", "event_types", "category"):
                old[name] = inputs[name][:, :-_SHORT]
                new[name] = inputs[name][:, -_SHORT:]
            found = self._long(old, training=training)
            return found + self._short(new, training=training)

    return LongAndShort()


def _sweep(sizes: _Sizes, log: _Log) -> None:
    """DIN and SIM by length, precision and batch size."""
    from tfadrec import layers
    from tfadrec.core.door import keras

    for length, policy, name in itertools.product(
        sizes.lengths, ("float32", "mixed_bfloat16"), ("DIN", "SIM")
    ):
        keras.mixed_precision.set_global_policy(policy)
        ranker = _ranker(getattr(layers, name)(), sizes, length)
        step = _step(ranker, _batches(sizes, length, 2)[0])
        what = {"part": "sweep", "model": name, "T": length, "policy": policy}
        for size in sizes.batches:
            batches = _batches(sizes, length, size)
            log.measure(step, batches, size, sizes.seconds, **what, batch=size)
    keras.mixed_precision.set_global_policy("float32")


def _table(sizes: _Sizes, log: _Log) -> None:
    """An `IdEmbedding` alone, with the ids of so many events in a step."""
    from tfadrec import layers, optimizers
    from tfadrec.core.door import keras, tf
    from tfadrec.models.training_step import training_step

    class Model(keras.Model):
        def __init__(self, rows):
            super().__init__()
            self.ids = layers.IdEmbedding(rows, 16)

        def compute_loss(self, ids, training=None):
            found = self.ids(ids, training=training)
            return tf.reduce_sum(tf.square(found["vector"] - 1.0))

    def taken(model, ids):
        training_step(model, ids)
        return {"steps": tf.identity(model.optimizer.iterations)}

    random = np.random.default_rng(_SEED)
    for rows in (sizes.users // 10, sizes.users):
        model = Model(rows)
        model.compile(optimizers.LazyAdam(0.01))
        ids = [tf.TensorSpec([None], tf.int32)]
        step = tf.function(functools.partial(taken, model), ids)
        for count in sizes.lookups:
            given = [
                tf.constant(random.integers(0, rows, count, np.int32))
                for _ in range(2)
            ]
            what = {"part": "table", "rows": rows, "ids": count}
            log.measure(step, given, count, sizes.seconds, **what)


def _dataset(sizes: _Sizes, length: int, rows: int):
    """Made-up impressions in memory, of users with logs of T events."""
    from behavior import make_catalogue

    from tfadrec import data
    from tfadrec.core.schema import Schema

    random = np.random.default_rng(_SEED)
    users, ads = rows // 20, sizes.ads
    catalogue = make_catalogue(ads, sizes.categories)
    kinds = catalogue.features
    of_row = random.integers(0, users, rows)
    return data.Dataset(
        schema=Schema("made", "int64", "int64", ("click",), features=kinds),
        catalogue=catalogue,
        user_ids=np.arange(users),
        users={},
        events=data.EventLog(
            users=np.repeat(np.arange(users, dtype=np.int32) + 1, length),
            ads=random.integers(1, ads, users * length, np.int32),
            types=np.ones(users * length, np.int32),
            times=np.tile(np.arange(length), users),
        ),
        impressions=data.Impressions(
            requests=np.arange(rows),
            users=(of_row + 1).astype(np.int32),
            ads=random.integers(1, ads, rows, np.int32),
            times=np.sort(random.integers(length, 10**6, rows)),
            labels={"clicked": random.integers(0, 2, rows).astype(np.float32)},
            columns={},
            history_starts=of_row * length,
            history_ends=(of_row + 1) * length,
        ),
        history_length=length,
    )


def _fed(sizes: _Sizes, log: _Log) -> None:
    """The steps of `fit` on what `Dataset.batches` makes, and ready ones."""
    from tfadrec import layers
    from tfadrec.core.door import keras

    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    size = sizes.batches[1]
    for length in sizes.lengths[:2]:
        fed = _dataset(sizes, length, 20 * size).batches(size, seed=_SEED)
        ranker = _ranker(layers.DIN(), sizes, length)
        step = ranker.make_train_function()
        sources = {"ready": fed.take(2).cache().repeat(), "made": fed}
        for name, source in sources.items():
            what = {"part": "fed", "by": name, "T": length, "batch": size}
            log.measure(step, [iter(source)], size, sizes.seconds, **what)
    keras.mixed_precision.set_global_policy("float32")


def _package(sizes: _Sizes, log: _Log) -> None:
    """`training.fit` in each precision, and an export."""
    from tfadrec import layers, models, optimizers, serving, training
    from tfadrec.core.door import keras, tf

    small = dataclasses.replace(sizes, ads=2000, categories=20)
    dataset = _dataset(small, 20, 10_000)
    train, valid = (dataset.select(x) for x in np.split(np.arange(10_000), 2))
    scopes = {
        "one device": contextlib.nullcontext,
        "MirroredStrategy": lambda: tf.distribute.MirroredStrategy().scope(),
    }
    for policy, (name, scope) in itertools.product(_POLICIES, scopes.items()):
        keras.mixed_precision.set_global_policy(policy)
        told = {"part": "package", "policy": policy, "under": name}
        try:
            with tempfile.TemporaryDirectory() as folder:
                with scope():
                    encoder = layers.DIN()
                    ranker = models.AdRanker.for_dataset(dataset, encoder)
                    ranker.build()
                    ranker.compile(optimizers.LazyAdam())
                fitted = training.fit(
                    ranker, train, valid, folder, epochs=2, progress=False
                )
            told["loss"] = [epoch["loss"] for epoch in fitted]
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "bundle")
                serving.export_bundle(ranker, valid, path)
            told["exported"] = True
        except Exception as error:
            told["failed"] = _said(error)
        log.tell(**told)
    keras.mixed_precision.set_global_policy("float32")


_PARTS = {
    "mark": _mark,
    "table": _table,
    "fed": _fed,
    "package": _package,
    "sweep": _sweep,  # last: what TensorFlow cannot index ends the process
}


if __name__ == "__main__":
    main()
