"""What a larger language model brings a ranker, and what it costs.

    tfadrec prepare table --config examples/amazon_industrial.yaml --out data/a
    python benchmarks/language_models.py layers data/a
    python benchmarks/language_models.py encode data/a
    python benchmarks/language_models.py rank data/a --seeds 0 1 2
    python benchmarks/language_models.py tune data/a

SmolLM2-135M beside MiniLM-L6, which is the default. `layers` says which of its
layers, pooled how, matches best: the AUC and GAUC of the cosine alone, on
validation rows. `encode` counts seconds of the processor, of all cores
together, for 64 ads that are drawn with seed 0, after a first pass. `rank` is
the cosine alone and the default ranker, on validation and test rows. `tune`
counts the processor's seconds of a step of training on 8 impressions.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from machine import describe, spread

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import data, evaluation, training
from tfadrec.core.config import RunConfig
from tfadrec.core.door import tf
from tfadrec.data.copy import text_vectors
from tfadrec.data.copy.tokenizer import ad_texts
from tfadrec.evaluation.baselines import TextCosine
from tfadrec.layers.text.pooling import pool

#: What was chosen on validation rows, by `layers`.
_SMOLLM2 = {
    "model": "smollm2",
    "kept_layers": 28,
    "dtype": "mixed_bfloat16",
}
_MODELS = {"MiniLM": {"model": "minilm"}, "SmolLM2": _SMOLLM2}
_DTYPES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
_POOLINGS = ("mean", "last_token")
_LORA = {"class": "lora", "rank": 8}
_ADS, _ROWS, _STEPS = 64, 8, 3
_METRICS = ("auc", "gauc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("layers", "encode", "rank", "tune"))
    parser.add_argument("dataset", help="a folder that `prepare` wrote")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        measure = {"encode": _encode_one, "tune": _tune_one}[arguments.what]
        print(json.dumps(measure(arguments.dataset, *arguments.one)))
        return
    print(describe())
    if arguments.what == "layers":
        _layers(arguments.dataset)
    elif arguments.what == "rank":
        _rank(arguments.dataset, arguments.seeds)
    else:
        _each_alone(arguments.what, arguments.dataset)


def _each_alone(what: str, folder: str) -> None:
    """Each model in each precision, in a process of its own for its memory."""
    for model in _MODELS:
        for dtype in _DTYPES:
            command = [sys.executable, __file__, what, folder]
            done = subprocess.run(
                [*command, "--one", model, dtype],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            seconds = spread(found["seconds"], " s")
            print(
                f"{model}, {dtype}: {seconds} of {found['of']}; peak "
                f"{found['peak_gb']:.2f} GB",
                flush=True,
            )


def _layers(folder: str) -> None:
    dataset = data.open_dataset(folder)
    for model in ("minilm", "smollm2"):
        tokenizer, encoder = training.text_model({"model": model})
        found = _of_all_layers(ad_texts(dataset.catalogue), tokenizer, encoder)
        for (layer, pooling), vectors in found.items():
            catalogue = dataset.catalogue.with_vectors("text", vectors)
            metrics = _cosine(dataset.with_catalogue(catalogue), "valid")
            print(f"{model}, {layer} layers, {pooling}: {metrics}", flush=True)


def _of_all_layers(texts, tokenizer, encoder):
    """(layers, pooling) -> float32 [n, D], of one pass over the texts."""
    architecture, forward = encoder._architecture, encoder._forward(False)
    ids = tf.TensorSpec([None, None], tf.int32)
    mask = tf.TensorSpec([None, None], tf.bool)

    @tf.function(input_signature=[ids, mask], autograph=False)
    def encode(token_ids, token_mask):
        shape = tf.concat([tf.shape(token_mask), [encoder.width]], 0)
        places = tf.cumsum(tf.cast(token_mask, tf.int32), -1, exclusive=True)
        rows = architecture.embed(
            forward, tf.reshape(token_ids, [-1]), tf.reshape(places, [-1])
        )
        made = []
        for layer in range(encoder.num_layers):
            rows = forward._run(rows, token_mask, range(layer, layer + 1))
            last = tf.reshape(architecture.last(forward, rows), shape)
            made += [pool(last, token_mask, how) for how in _POOLINGS]
        return tf.stack(made)

    keys = [(n + 1, p) for n in range(encoder.num_layers) for p in _POOLINGS]
    vectors = np.zeros([len(keys), len(texts), encoder.width], np.float32)
    for chosen, inputs in text_vectors._batches(texts, tokenizer, 2048):
        vectors[:, chosen] = encode(inputs["token_ids"], inputs["token_mask"])
    return dict(zip(keys, vectors, strict=True))


def _cosine(dataset, part: str) -> str:
    """The metrics of the cosine alone."""
    train, valid, test = data.split_by_time(dataset)
    rows = {"valid": valid, "test": test}[part]
    scores = TextCosine("clicked", True).fit(train).scores(rows)
    return _row([evaluation.measure({"clicked": scores}, rows, train=train)])


def _rank(folder: str, seeds) -> None:
    for name, text in _MODELS.items():
        dataset = training.with_text(data.open_dataset(folder), text)
        runs = [_train(folder, text, seed) for seed in seeds]
        for part in ("valid", "test"):
            print(
                f"{name}, {part}: cosine {_cosine(dataset, part)}; ranker "
                f"{_row(_evaluated(runs, part))}",
                flush=True,
            )


def _train(folder, text, seed):
    config = RunConfig(text=text, fit={"seed": seed})
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as out:
        run = training.train(folder, config, f"{out}/run", progress=False)
    seconds = time.process_time() - begun
    print(f"{text}, seed {seed}: {seconds:.0f} s of the processor", flush=True)
    return run


def _evaluated(runs, part):
    return [
        evaluation.evaluate(run.ranker, getattr(run, part), train=run.train)
        for run in runs
    ]


def _row(found) -> str:
    """The metrics of some evaluations, with their spread."""
    told = [each.to_dict()["metrics"]["clicked"] for each in found]
    values = [[each[m] for each in told] for m in _METRICS]
    return " / ".join(
        f"{statistics.mean(v):.4f} ± {statistics.stdev(v):.4f}"
        if len(v) > 1
        else f"{v[0]:.4f}"
        for v in values
    )


def _encode_one(folder: str, model: str, dtype: str) -> dict:
    settings = {**_MODELS[model], "dtype": _DTYPES[dtype]}
    tokenizer, encoder = training.text_model(settings)
    texts = ad_texts(data.open_dataset(folder).catalogue)
    texts = np.random.default_rng(0).permutation(texts)[:_ADS].tolist()
    encode = text_vectors.part_encoder(tokenizer, encoder, 4096)
    encode(texts)
    seconds = _timed(lambda: encode(texts))
    tokens = np.mean([len(row) for row in tokenizer.ids(texts)])
    rate = _ADS / statistics.median(seconds)
    return _found(seconds, f"{_ADS} ads of {tokens:.1f} tokens, {rate:.1f}/s")


def _tune_one(folder: str, model: str, dtype: str) -> dict:
    text = {**_MODELS[model], "dtype": _DTYPES[dtype], "tuning": _LORA}
    dataset = training.with_text(data.open_dataset(folder), text)
    train, _, _ = data.split_by_time(dataset)
    ranker = training.build_ranker(RunConfig(text=text), train, 0)
    step = tf.function(ranker.train_step)
    batches = iter(train.batches(_ROWS, seed=0))
    step(next(batches))
    seconds = _timed(lambda: step(next(batches)))
    trained = ranker.ad_tower.text.num_weights()["trainable"]
    return _found(seconds, f"{_ROWS} impressions, {trained:,} weights trained")


def _timed(call) -> list[float]:
    """Seconds of the processor of some calls."""
    seconds = []
    for _ in range(_STEPS):
        begun = time.process_time()
        call()
        seconds.append(time.process_time() - begun)
    return seconds


def _found(seconds, of: str) -> dict:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "of": of, "peak_gb": peak}


if __name__ == "__main__":
    main()
