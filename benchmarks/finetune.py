"""What it costs to tune a language model inside a ranker, and what it gains.

    tfadrec prepare movielens-100k --out data/ml
    python benchmarks/finetune.py data/ml --dtype mixed_bfloat16
    python benchmarks/finetune.py data/ml --dtype mixed_bfloat16 --quality

The first measures a training step of a DIN ranker that reads the ad copy with
MiniLM: T = 50, 256 impressions a step. The second trains rankers that differ in
how they read the ad copy alone, and measures them on the test rows.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
from machine import describe, spread

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import data, evaluation, layers, models, towers, training
from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras, tf
from tfadrec.layers import text as encoders
from tfadrec.optimizers import CompositeOptimizer, LazyAdam

_BATCH, _LENGTH = 256, 50
#: Way -> how the language model is tuned, and how many parts a step has. All
#: rows of 256 impressions at once do not fit into memory.
_WAYS = {
    "every row": ("full", 16),
    "distinct ads": ("full", 1),
    "top 2 layers on kept outputs": ({"class": "top_layers", "k": 2}, 1),
    "LoRA, rank 8": ({"class": "lora", "rank": 8}, 1),
    "frozen": ("frozen", 1),
}
_SLOW = "every row"
_KEPT = "top 2 layers on kept outputs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", help="a folder that `prepare` wrote")
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--dtype", default="float32", help="of the encoder")
    parser.add_argument("--ways", nargs="+", default=_WAYS, choices=_WAYS)
    parser.add_argument("--way", choices=_WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(_measure(arguments)))
    elif arguments.quality:
        _compare_quality(arguments)
    else:
        _compare_speed(arguments)


def _compare_speed(arguments) -> None:
    print(describe())
    for way in arguments.ways:
        # Each in a process of its own, for the sake of its peak memory.
        done = subprocess.run(
            [
                *(sys.executable, __file__, arguments.dataset),
                *("--dtype", arguments.dtype, "--way", way),
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        seconds = found["seconds"]
        print(
            f"{way:30} {spread([1e3 * s for s in seconds], ' ms')}, "
            f"{_BATCH / np.median(seconds):,.1f} examples/s, "
            f"peak {found['peak_gb']:.1f} GB, "
            f"{found['trainable']:,} weights of the language model trained",
            flush=True,
        )


def _measure(arguments) -> dict:
    tuning, parts = _WAYS[arguments.way]
    dataset = data.open_dataset(arguments.dataset)
    train, _, _ = data.split_by_time(dataset.with_history_length(_LENGTH))
    ranker, catalogue = _ranker(train, arguments.way, tuning, arguments.dtype)
    train = train.with_catalogue(catalogue)

    batches = iter(train.batches(_BATCH // parts, seed=0))
    slow = arguments.way == _SLOW
    step = _in_parts(ranker, parts) if slow else tf.function(ranker.train_step)

    # Of the slow way, all parts of one step, each taken for its share.
    seconds = []
    for repeat in range(1 + parts if slow else 7):
        batch = next(batches)
        begun = time.perf_counter()
        step(batch)
        if repeat >= (1 if slow else 2):
            seconds.append(parts * (time.perf_counter() - begun))
    text = ranker.ad_tower.text
    return {
        "seconds": seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "trainable": text.num_weights()["trainable"] if text else 0,
    }


def _ranker(train, way, tuning, dtype):
    """A compiled ranker, and the catalogue that it reads."""
    keras.utils.set_random_seed(0)
    tokenizer = data.Tokenizer.from_pretrained("minilm")
    encoder = encoders.BertAdEncoder.from_pretrained(
        "minilm", tuning=tuning, name="text", dtype=dtype
    )
    rate = LazyAdam(1e-3)
    if tuning == "frozen":
        catalogue = data.encode_text(train.catalogue, tokenizer, encoder)
        tower = towers.AdTower(catalogue)
    else:
        catalogue = data.tokenize(train.catalogue, tokenizer)
        kind = _EveryRow if way == _SLOW else towers.AdTower
        tower = kind(catalogue, text=encoder)
        rate = CompositeOptimizer({"^text/": LazyAdam(2e-5)}, rate)
    ranker = models.AdRanker(
        tower,
        towers.UserTower(
            layers.DIN(),
            num_event_types=len(train.schema.event_types) + 1,
            num_users=len(train.user_ids) + 1,
        ),
        layers.AttentionMatching(),
    )
    ranker.build()
    if way == _KEPT:
        tower.read_lower_layers(data.lower_layers(catalogue.tokens, encoder))
    ranker.compile(rate)
    return ranker, catalogue


class _EveryRow(towers.AdTower):
    """The naive way: repeats and all, each text as long as the longest."""

    def encode(self, wanted, training=None):
        return {
            name: self._encode(rows, training)
            for name, (rows, _) in wanted.items()
        }

    def _ad_copy(self):
        return super()._ad_copy().encode_padded


def _in_parts(ranker, parts):
    """A training step that is made of several batches."""
    weights = ranker.trainable_variables
    sums = [tf.Variable(tf.zeros_like(w), trainable=False) for w in weights]
    count = tf.Variable(0)
    ranker.optimizer.build(weights)

    def apply():
        pairs = [
            (tf.identity(s), w) for s, w in zip(sums, weights, strict=True)
        ]
        ranker.optimizer.apply_gradients(pairs)
        for total in sums:
            total.assign(tf.zeros_like(total))
        return 0

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            loss = ranker.compute_loss(batch, training=True) / parts
        gradients = tape.gradient(loss, weights)
        for total, gradient in zip(sums, gradients, strict=True):
            if gradient is not None:
                total.assign_add(tf.convert_to_tensor(gradient))
        count.assign_add(1)
        tf.cond(count % parts == 0, apply, lambda: 0)

    return step


_SEEDS = (0, 1, 2)
#: The language model's own, small learning rate.
_RATE = 5e-5
_READ = {
    "ids alone": None,
    "frozen": {"model": "minilm"},
    "top 2 layers": {
        "model": "minilm",
        "tuning": {"class": "top_layers", "k": 2},
    },
}


def _compare_quality(arguments) -> None:
    print(describe())
    dataset = data.open_dataset(arguments.dataset)
    found = {
        way: [_train(dataset, way, seed, arguments.dtype) for seed in _SEEDS]
        for way in _READ
    }
    print(evaluation.compare(found))


def _train(dataset, way, seed, dtype) -> evaluation.Evaluation:
    text = _READ[way]
    optimizer = {"class": "LazyAdam", "learning_rate": 2e-3}
    if text and "tuning" in text:
        text = {**text, "dtype": dtype}
        optimizer = {
            "class": "CompositeOptimizer",
            "groups": {"^text/": {"class": "LazyAdam", "learning_rate": _RATE}},
            "default": optimizer,
        }
    config = RunConfig(text=text, optimizer=optimizer)
    if text is None:
        dataset = dataset.with_catalogue(dataset.catalogue.ids_only())
    dataset = training.with_text(dataset, config.text)
    train, valid, test = data.split_by_time(dataset)
    begun = time.perf_counter()
    ranker = training.build_ranker(config, train, seed)
    with tempfile.TemporaryDirectory() as folder:
        history = training.fit(
            ranker, train, valid, folder, batch_size=2048, epochs=5, seed=seed
        )
    seconds = time.perf_counter() - begun
    found = evaluation.evaluate(ranker, test, train=train)
    print(
        f"{way}, seed {seed}, {len(history)} epochs, {seconds:.0f} s\n{found}",
        file=sys.stderr,
        flush=True,
    )
    return found


if __name__ == "__main__":
    main()
