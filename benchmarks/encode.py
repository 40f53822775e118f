"""Ad copy to vectors: this project, transformers' TFBertModel, and torch.

    python benchmarks/encode.py --peers PYTHON FILE:COLUMN[+COLUMN]:COUNT ...

Each FILE:COLUMN is a Parquet file with a column of texts; `a+b` joins two of
them by ". ". MiniLM-L6 encodes COUNT distinct texts of each, in their natural
lengths, cut at 128 tokens. PYTHON is an interpreter that has torch and
sentence-transformers:

    pip install torch==2.13.0 sentence-transformers==6.2.0

Each contender has a process of its own, all cores, and one run to warm up. The
set-up (loading, tracing) is not in the rate; tokenising and, for this project,
writing to disk are. sentence-transformers sorts by length itself and gets the
best of four batch sizes; TFBertModel gets batches of 64 in the order of the
texts, each padded to its longest.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from machine import describe, spread

_SEED, _MAX_TOKENS = 0, 128
_REPEATS = 3
_ONE_BATCH = "tfadrec bfloat16, one batch at a time"
_CONTENDERS = (
    "TFBertModel float32",
    "sentence-transformers float32",
    "sentence-transformers bfloat16",
    "tfadrec float32",
    "tfadrec bfloat16",
    _ONE_BATCH,
)


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if sys.argv[1] == "--contender":
        print(json.dumps(_contend(*sys.argv[2:])))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", required=True)
    parser.add_argument("texts", nargs="+")
    chosen = parser.parse_args()

    from tfadrec.core import pretrained
    from tfadrec.data import Tokenizer

    print(describe())
    folder = str(pretrained.locate("minilm"))
    tokenizer = Tokenizer.from_pretrained(folder, max_tokens=_MAX_TOKENS)
    sets = {source: _texts(source) for source in chosen.texts}
    found, vectors = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "texts.json")
        with open(path, "w") as file:
            json.dump(list(sets.values()), file)
        for name in _CONTENDERS:
            python = chosen.peers if "sentence" in name else sys.executable
            made = os.path.join(scratch, f"{name}.npz")
            command = [python, __file__, "--contender", name, folder, path]
            done = subprocess.run(
                [*command, made], stdout=subprocess.PIPE, text=True, check=True
            )
            found[name] = json.loads(done.stdout.splitlines()[-1])
            with np.load(made) as file:
                vectors[name] = list(file.values())
            print(f"{name}: {found[name]}", flush=True)
    for place, (source, texts) in enumerate(sets.items()):
        lengths = np.array([len(ids) for ids in tokenizer.ids(texts)])
        low, middle, high = np.percentile(lengths, [10, 50, 90]).astype(int)
        print(
            f"\n{source}: {len(texts)} distinct texts; tokens "
            f"{lengths.mean():.1f} on average, 10/50/90 % "
            f"{low}/{middle}/{high}, {lengths.max()} at most"
        )
        exact = vectors["tfadrec float32"][place]
        for name in _CONTENDERS:
            rates = found[name]["rates"][place]
            made = vectors[name][place]
            cosines = np.sum(made * exact, -1) / (
                np.linalg.norm(made, axis=-1) * np.linalg.norm(exact, axis=-1)
            )
            line = (
                f"  {name:38} {spread(rates, ' ads/s')}, cosine to ours in "
                f"float32 {cosines.mean():.5f}, least {cosines.min():.5f}"
            )
            if name == _ONE_BATCH:
                done = _operations(lengths) / len(texts)
                share = done * statistics.median(rates) / found[name]["peak"]
                line += f", {share:.0%} of the peak"
            print(line)


def _texts(source: str) -> list[str]:
    import pyarrow.parquet as pq

    path, columns, count = source.rsplit(":", 2)
    table = pq.read_table(path, columns=columns.split("+"))
    parts = [table[name].to_pylist() for name in columns.split("+")]
    rows = zip(*parts, strict=True)
    found = sorted({". ".join(row) for row in rows if all(row)})
    random.Random(_SEED).shuffle(found)
    return found[: int(count)]


def _operations(lengths: np.ndarray) -> float:
    """Multiplications and additions of MiniLM-L6's products, all texts."""
    width, inner, layers = 384, 1536, 6
    per_token = 2 * (4 * width**2 + 2 * width * inner)
    per_pair = 2 * 2 * width
    return layers * float(np.sum(per_token * lengths + per_pair * lengths**2))


def _contend(name: str, folder: str, path: str, made: str) -> dict:
    with open(path) as file:
        sets = json.load(file)
    kind, _, rest = name.partition(" ")
    begun = time.perf_counter()
    found = {"rates": []}
    if kind == "tfadrec":
        dtype, _, how = rest.partition(", ")
        if how:
            found["peak"] = _peak(dtype)
        encode = _ours(folder, dtype, not how)
    elif kind == "TFBertModel":
        encode = _tf_bert(folder)
    else:
        encode = _sentence_transformers(folder, rest, sets, found)
    encode(sets[0][:2])
    found["seconds_to_the_first"] = round(time.perf_counter() - begun, 1)
    vectors = []
    for texts in sets:
        encode(texts)
        rates = []
        for _ in range(_REPEATS):
            begun = time.perf_counter()
            made_of_set = encode(texts)
            rates.append(len(texts) / (time.perf_counter() - begun))
        vectors.append(made_of_set)
        found["rates"].append(rates)
    np.savez(made, *vectors)
    return found


def _ours(folder: str, dtype: str, is_one_thread: bool):
    import importlib

    from tfadrec import data, layers
    from tfadrec.core.door import tf

    if is_one_thread:
        # As `tfadrec encode-ads` does.
        tf.config.threading.set_intra_op_parallelism_threads(1)
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[dtype]
    encoder = layers.BertAdEncoder.from_pretrained(folder, dtype=policy)
    tokenizer = data.Tokenizer.from_pretrained(folder, max_tokens=_MAX_TOKENS)
    module = importlib.import_module("tfadrec.data.copy.text_vectors")
    traced = module._traced(encoder)
    module._traced = lambda _: traced
    key = module._model_key(tokenizer, encoder)
    module._model_key = lambda *_: key

    def encode(texts):
        with tempfile.TemporaryDirectory() as cache:
            return data.text_vectors(
                texts, tokenizer, encoder, cache=cache, progress=False
            )

    return encode


def _peak(dtype: str) -> float:
    """Operations per second of the widest product, on all cores."""
    from tfadrec.core.door import tf

    rows, width, inner = 4096, 384, 1536
    kernel = np.random.default_rng(_SEED).normal(size=(width, inner))

    @tf.function(input_signature=[tf.TensorSpec([rows, width], dtype)])
    def product(x):
        return tf.matmul(x, tf.constant(kernel, dtype))

    x = tf.ones([rows, width], dtype)
    times = []
    for _ in range(30):
        begun = time.perf_counter()
        product(x)
        times.append(time.perf_counter() - begun)
    return 2 * rows * width * inner / min(times)


def _tf_bert(folder: str):
    from tfadrec import data, layers
    from tfadrec.core.door import tf

    encoder = layers.BertAdEncoder.from_pretrained(folder)
    tokenizer = data.Tokenizer.from_pretrained(folder, max_tokens=_MAX_TOKENS)
    ids = tf.TensorSpec([None, None], tf.int32)

    @tf.function(input_signature=[ids, ids], autograph=False)
    def encode(token_ids, mask):
        hidden = encoder._backbone(
            input_ids=token_ids, attention_mask=mask
        ).last_hidden_state
        weights = tf.cast(mask, tf.float32)
        weights /= tf.reduce_sum(weights, -1, keepdims=True)
        return tf.einsum("nl,nld->nd", weights, hidden)

    def in_batches(texts):
        made = []
        for start in range(0, len(texts), 64):
            batch = tokenizer(texts[start : start + 64])
            mask = batch["token_mask"].astype(np.int32)
            made.append(encode(batch["token_ids"], mask).numpy())
        return np.concatenate(made)

    return in_batches


def _sentence_transformers(folder: str, dtype: str, sets: list, found: dict):
    import torch
    from sentence_transformers import SentenceTransformer, __version__

    model = SentenceTransformer(
        folder, device="cpu", model_kwargs={"dtype": getattr(torch, dtype)}
    )
    model.max_seq_length = _MAX_TOKENS

    def encode(texts, batch_size):
        return model.encode(
            texts, batch_size=batch_size, convert_to_tensor=True
        ).float()

    seconds = {}
    for size in (32, 64, 128, 256):
        encode(sets[0][:size], size)
        begun = time.perf_counter()
        encode(sets[0], size)
        seconds[size] = time.perf_counter() - begun
    best = min(seconds, key=seconds.__getitem__)
    found["batch_size"] = best
    found["versions"] = f"{__version__} on torch {torch.__version__}"
    return lambda texts: encode(texts, best).numpy()


if __name__ == "__main__":
    main()
