"""How fast rankers with each behaviour encoder train and score.

    pip install --no-deps deepctr==0.9.4
    python benchmarks/behavior.py rates DIN      # against DeepCTR, T = 50
    python benchmarks/behavior.py slates DIN     # one user, 500 candidates

Without names all are measured, which takes a quarter of an hour.

Made-up ids, all histories full. The features are a user id, an ad id and one
category of an ad. Each contender has a process of its own; they take turns.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from machine import describe, peak, spread

USERS, ADS, CATEGORIES = 10_000, 10_000, 100
_BATCHES = {1024: 32, 4096: 8}  # batch size -> batches per measurement
HIDDEN = (256, 128, 64)  # DeepCTR's default
_ROUNDS = 3
_SEED = 0

#: name -> encoder, its arguments, and the peer that it is compared with.
_OURS = {
    "DIN": ("DIN", {}, "DeepCTR DIN"),
    "DIN, dice": ("DIN", {"activation": "dice"}, "DeepCTR DIN"),
    "DIN, bfloat16": ("DIN", {"dtype": "mixed_bfloat16"}, "DeepCTR DIN"),
    "BST": ("BST", {"num_heads": 8}, "DeepCTR BST"),
    "DIEN": ("DIEN", {"auxiliary_weight": 0.0}, "DeepCTR DIEN"),
}
_ENCODERS = ("DIN", "TargetAttention", "BST", "DIEN", "LSTM", "GRU")
_ENCODERS += ("Transformer", "HSTU", "MultiInterest", "SIM", "ETA", "SDIM")
_PEERS = {
    "DeepCTR DIN": ("DIN", {}),
    "DeepCTR DIN, relu": ("DIN", {"att_activation": "relu"}),
    "DeepCTR BST": ("BST", {}),
    "DeepCTR DIEN": ("DIEN", {}),
}


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    command = sys.argv[1:] or ["rates"]
    if command[0] == "contend":
        print(json.dumps(_contend(command[1])))
    elif command[0] == "slates":
        _slates(command[1:] or _ENCODERS)
    else:
        _compare(command[1:] or [*_PEERS, *_OURS])


def _compare(names: list[str]) -> None:
    print(describe())
    print("Median (smallest to largest), examples/s.")
    found: dict[str, dict[str, list[float]]] = {}
    peers = [_OURS[name][2] for name in names if name in _OURS]
    for _ in range(_ROUNDS):
        for name in dict.fromkeys([*peers, *names]):
            done = subprocess.run(
                [sys.executable, __file__, "contend", name],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                sys.exit(f"{name}: {done.stderr[-2000:]}")
            rates = json.loads(done.stdout.splitlines()[-1])
            for work, rate in rates.items():
                found.setdefault(name, {}).setdefault(work, []).append(rate)
    for name, rates in found.items():
        for work, values in rates.items():
            line = f"{name:18} {work:20} {spread(values)}"
            if name in _OURS:
                peer = found[_OURS[name][2]][work]
                ratios = np.array(values) / np.array(peer)
                line += f"  {spread(ratios.tolist())} x {_OURS[name][2]}"
            print(line)
    if "DIN" in found:
        _floor(found["DIN"])


def _contend(name: str) -> dict[str, float]:
    """Examples per second of one contender, in a fresh process."""
    from tfadrec.core.door import tf

    length = 50
    rates = {}
    model = _peer(name, length) if name in _PEERS else _ranker(name, length)
    for batch_size, batches in _BATCHES.items():
        inputs, labels = _rows(batch_size * 4, length, peer=name in _PEERS)
        for work in ("training", "scoring"):
            training = work == "training"
            given = (inputs, labels) if training else (inputs,)
            if tf.executing_eagerly():
                # Steps on batches from memory: neither the feeding is measured
                # nor what `fit` does before the first step and after the last.
                rows = tf.data.Dataset.from_tensor_slices(given)
                fed = iter(rows.batch(batch_size).cache().repeat())
                step = (
                    model.make_train_function()
                    if training
                    else model.make_predict_function()
                )
                seconds = _seconds(lambda s=step, f=fed: s(f), batches)
            else:  # DeepCTR's DIEN, four batches at a time
                do = model.fit if training else model.predict
                seconds = (
                    _seconds(
                        lambda d=do, g=given, b=batch_size: d(
                            *g, batch_size=b, verbose=0
                        ),
                        batches // 4,
                    )
                    / 4
                )
            rates[f"{work}, {batch_size}"] = batch_size / seconds
    return rates


def _seconds(do, times: int) -> float:
    """The mean time of a call, after two others."""
    do()
    do()
    begun = time.perf_counter()
    for _ in range(times):
        do()
    return (time.perf_counter() - begun) / times


def _peer(name: str, length: int):
    import peers

    model, arguments = _PEERS[name]
    sizes = {"user": USERS, "ad": ADS, "category": CATEGORIES}
    # DeepCTR's default penalty reads every row of its tables in every step.
    return peers.make(model, sizes, length, l2_reg_embedding=0.0, **arguments)


def _ranker(name: str, length: int):
    """Events are 32 wide, as those of the peers: twice 16."""
    encoder, arguments, _ = _OURS[name]
    return make_ranker(encoder, arguments, length)


def make_catalogue(ads: int = ADS, kinds: int = CATEGORIES):
    """Ads that have one of so many categories and nothing else."""
    from tfadrec.core.feature import Feature
    from tfadrec.data.catalogue import Catalogue

    count = ads - 1
    names = tuple(map(str, range(1, kinds)))
    name = "category"
    kind = Feature(name, "ad", "category", name, name, vocabulary=names)
    return Catalogue(
        ad_ids=np.arange(count),
        titles=[""] * count,
        descriptions=[""] * count,
        tags=[[]] * count,
        features=(kind,),
        columns={name: categories(ads, kinds)[1:]},
    )


def make_ranker(encoder: str, arguments: dict, length: int):
    """An `AdRanker` with the peers' features and head."""
    from tfadrec import layers, models, optimizers, towers
    from tfadrec.core.door import keras

    keras.utils.set_random_seed(_SEED)
    catalogue = make_catalogue()
    ranker = models.AdRanker(
        towers.AdTower(catalogue, 32, id_dropout=0.0, category="category"),
        towers.UserTower(
            getattr(layers, encoder)(**arguments),
            num_event_types=2,
            num_users=USERS,
            max_length=length,
        ),
        hidden_units=HIDDEN,
        cross_layers=0,
        dropout=0.0,
    )
    ranker.build()
    ranker.compile(optimizers.LazyAdam())
    return ranker


def categories(ads: int = ADS, kinds: int = CATEGORIES) -> np.ndarray:
    random = np.random.default_rng(_SEED)
    return random.integers(1, kinds, ads).astype(np.int32)


def _rows(count: int, length: int, peer: bool):
    random = np.random.default_rng(_SEED)
    users = random.integers(1, USERS, count).astype(np.int32)
    ads = random.integers(1, ADS, count).astype(np.int32)
    history = random.integers(1, ADS, (count, length)).astype(np.int32)
    lengths = np.full(count, length, np.int32)
    clicked = random.integers(0, 2, count).astype(np.float32)
    if peer:
        import peers

        inputs = peers.inputs(
            users, ads, history, lengths, {"category": categories()}
        )
        return inputs, clicked
    ages = np.sort(random.integers(0, 10**6, (count, length)), axis=1)[:, ::-1]
    return {
        "user_id": users,
        "history_ads": history,
        "history_events": np.ones_like(history),
        "history_ages": ages.astype(np.int32),
        "history_length": lengths,
        "candidate_ads": ads,
    }, {"clicked": clicked}


def _floor(rates: dict[str, list[float]]) -> None:
    """What share of the machine's peak DIN reaches.

    Multiplications and additions per example, T = 50, D = 32: two for each
    weight of the activation unit's kernels (80, 40, 1), which every pair of an
    event and a candidate passes, and of the head's; a training step does each
    product three times.
    """
    width, length, first, second = 32, 50, 80, 40
    pair = width * first + first * second + second + width
    head = 3 * width * HIDDEN[0]
    head += HIDDEN[0] * HIDDEN[1] + HIDDEN[1] * HIDDEN[2]
    flops = 2 * (length * pair + width * first * 2 + head)
    # One write and one read of the unit's two hidden layers, float32.
    traffic = 2 * 4 * length * (first + second + width)
    fast = peak()
    print(f"matrix products, peak: {fast / 1e9:,.0f} GFLOP/s")
    for work, values in rates.items():
        times = 3 if work.startswith("training") else 1
        share = times * flops * float(np.median(values)) / fast
        print(
            f"DIN {work:20} {times * flops / 1e6:.2f} MFLOP and at least "
            f"{times * traffic / 1e3:.0f} kB an example: {share:.0%} of it"
        )


def _slates(encoders) -> None:
    """Time of one user and 500 candidates through a SavedModel."""
    import tensorflow as tf

    import tfadrec  # noqa: F401

    print(describe())
    print("One user, 500 candidates, SavedModel; median and 99th percentile.")
    for encoder in encoders:
        for length in (100, 300, 1000):
            ranker = make_ranker(encoder, {}, length)
            inputs, _ = _rows(1, length, peer=False)
            random = np.random.default_rng(_SEED)
            inputs["candidate_ads"] = random.integers(
                1, ADS, (1, 500), np.int32
            )
            specs = {
                name: tf.TensorSpec(
                    [None] * value.ndim, tf.as_dtype(value.dtype), name
                )
                for name, value in inputs.items()
            }
            service = tf.Module()
            service.ranker = ranker
            service.score = tf.function(
                functools.partial(_score, ranker), input_signature=[specs]
            )
            with tempfile.TemporaryDirectory() as folder:
                tf.saved_model.save(service, folder)
                loaded = tf.saved_model.load(folder)
            given = {k: tf.constant(v) for k, v in inputs.items()}
            for _ in range(10):
                loaded.score(given)
            times = []
            for _ in range(200):
                begun = time.perf_counter()
                loaded.score(given)["clicked"].numpy()
                times.append(1000 * (time.perf_counter() - begun))
            middle, high = np.percentile(times, [50, 99])
            print(
                f"{encoder:16} T = {length:4}: {middle:7.2f} ms, "
                f"99th {high:7.2f} ms",
                flush=True,
            )


def _score(ranker, inputs):
    return ranker(inputs)


if __name__ == "__main__":
    main()
