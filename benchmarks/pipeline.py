"""How fast rows become batches, and what a training step spends waiting.

    python benchmarks/pipeline.py

MovieLens-100K's training rows, histories of T = 50.
"""

import time

from machine import describe, spread

import tfadrec  # noqa: F401  (chooses the Keras flavour before TensorFlow)
from tfadrec import data, training
from tfadrec.core.config import RunConfig

_REPEATS = 7
_SEED = 0


def main() -> None:
    print(describe())
    dataset = data.load("movielens-100k").with_history_length(50)
    train, _, _ = data.split_by_time(dataset)
    for batch_size in (512, 4096):
        rates = [_rate(train, batch_size) for _ in range(_REPEATS)]
        print(f"pipeline, batch {batch_size}: {spread(rates, ' examples/s')}")
    config = RunConfig()
    train = train.with_catalogue(
        training.with_text(dataset, config.text).catalogue
    )
    for batch_size in (512, 4096):
        _step_time(config, train, batch_size)


def _rate(train, batch_size: int) -> float:
    """Examples per second that reach the consumer, after the first batches."""
    batches = iter(train.batches(batch_size, seed=_SEED))
    for _ in range(3):
        next(batches)
    steps = max(20, 400_000 // batch_size)
    begun = time.perf_counter()
    for _ in range(steps):
        next(batches)
    return steps * batch_size / (time.perf_counter() - begun)


def _step_time(config, train, batch_size: int) -> None:
    """Training steps fed by the pipeline against steps fed from memory."""
    ranker = training.build_ranker(config, train, seed=_SEED)
    fed = train.batches(batch_size, seed=_SEED)
    memory = fed.take(1).cache().repeat()
    steps = max(10, 40_000 // batch_size)
    ranker.fit(memory, steps_per_epoch=3, verbose=0)
    times: dict[str, list[float]] = {"pipeline": [], "memory": []}
    for _ in range(_REPEATS):
        for name, batches in (("pipeline", fed), ("memory", memory)):
            begun = time.perf_counter()
            ranker.fit(batches, steps_per_epoch=steps, verbose=0)
            seconds = time.perf_counter() - begun
            times[name].append(1000 * seconds / steps)
    shares = [
        min(1.0, memory / fed)
        for fed, memory in zip(times["pipeline"], times["memory"], strict=True)
    ]
    for name, found in times.items():
        print(
            f"training, batch {batch_size}, fed by the {name}: "
            f"{spread(found, ' ms/step')}"
        )
    print(f"training, batch {batch_size}, model's share: {spread(shares)}")


if __name__ == "__main__":
    main()
