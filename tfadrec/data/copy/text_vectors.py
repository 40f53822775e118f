"""The ad copy as vectors, computed once per text and kept on disk."""

import dataclasses
import hashlib
import json
import logging
import os
import pathlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfadrec.core import fetch
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import facts_of_file
from tfadrec.core.progress import Progress
from tfadrec.core.scratch_folder import FRESH, clear_leftovers, scratch_folder
from tfadrec.core.takes import takes
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.tokenizer import Tokenizer, ad_texts

_LOG = logging.getLogger(__name__)
#: Part of the key: raised when the same text and model give another vector.
_FORMAT = 2
_TEXTS_PER_PART = 2048
_CACHE = "cache of vectors"
#: Weights beyond this stay variables. Where all of a batch's work is long, it
#: gains nothing to cast them once, and TensorFlow's rewriting copies constants:
#: of 510 MB of weights it made 9.7 GB, on two cores of an EPYC.
_MAX_CONSTANT_BYTES = 2**28

Inputs = Mapping[str, np.ndarray]
#: Makes the vectors of parts, each float32 [n, D], of their texts and of the
#: path of a new folder that is removed when it is done.
EncodeParts = Callable[
    [Sequence[Sequence[str]], pathlib.Path], Iterable[np.ndarray]
]


class TextEncoder(Protocol):
    """What is asked of a text layer: a Keras layer with three sizes."""

    width: int
    vocabulary_size: int
    max_tokens: int
    compute_dtype: str
    built: bool
    weights: Sequence[Any]

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        """Ad vectors [n, D] of token ids and their mask, [n, L]."""


@takes(catalogue="catalogue", tokenizer="tokenizer", encoder="encoder")
def encode_text(
    catalogue: Catalogue,
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    *,
    cache: str | os.PathLike[str] | None = None,
    batch_tokens: int = 4096,
    progress: bool = True,
) -> Catalogue:
    """A catalogue with the vector column `text`, made of its ad copy.

    The text is `tokenizer.ad_text` of title, description and tags. The other
    arguments are those of `text_vectors`.
    """
    vectors = text_vectors(
        ad_texts(catalogue),
        tokenizer,
        encoder,
        cache=cache,
        batch_tokens=batch_tokens,
        progress=progress,
    )
    return dataclasses.replace(
        catalogue.with_vectors("text", vectors),
        text=_settings(tokenizer, encoder),
    )


def _settings(
    tokenizer: Tokenizer, encoder: TextEncoder
) -> dict[str, Any] | None:
    """How a run names the two, None where they are of no one known model."""
    source = getattr(encoder, "source", None)
    if source is None or source != tokenizer.source:
        return None
    config = encoder.get_config()
    told = {"pooling": config["pooling"]}
    if config.get("kept_layers") is not None:
        told["kept_layers"] = config["kept_layers"]
    if encoder.compute_dtype != "float32":
        told["dtype"] = f"mixed_{encoder.compute_dtype}"
    return {**(tokenizer.settings or {}), **told}


def text_vectors(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    *,
    cache: str | os.PathLike[str] | None = None,
    batch_tokens: int = 4096,
    progress: bool = True,
) -> np.ndarray:
    """The vectors of texts, each distinct text encoded once and kept on disk.

    A vector is kept under a key made of the text and of all that makes its
    vector: the encoder's config and weights, and the tokenizer. It is written
    every few thousand texts, so a killed run goes on where it stopped.

    Texts of like length are encoded together. As many batches are worked on at
    once as there are groups of `tf.config.threading`'s intra-op threads among
    the cores: one, where that is not set.

    Args:
      texts: n texts. An empty one has the zero vector.
      tokenizer: the encoder's.
      encoder: a text layer.
      cache: the folder that keeps the vectors, one sub-folder per model; by
        default `text_vectors` in `tfadrec.core.fetch.cache_dir()`.
      batch_tokens: tokens per call of the encoder, padding included; a longer
        text is a call of its own.
      progress: whether progress is shown on standard error.

    Returns:
      float32 [n, D].

    Raises:
      InputError: where the tokenizer does not fit the encoder.
    """
    vectors, _ = vectors_and_count(
        texts,
        tokenizer,
        encoder,
        cache=cache,
        batch_tokens=batch_tokens,
        progress=progress,
    )
    return vectors


def vectors_and_count(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    *,
    cache: str | os.PathLike[str] | None,
    batch_tokens: int,
    progress: bool,
    encode_parts: EncodeParts | None = None,
) -> tuple[np.ndarray, int]:
    """What `text_vectors` gives, and the number of texts that it encoded.

    The vectors of new texts are made by `encode_parts` where that is given.
    """
    tokenizer.check_fits(encoder.vocabulary_size, encoder.max_tokens)
    root = pathlib.Path(cache or fetch.cache_dir() / "text_vectors")
    folder = root / _model_key(tokenizer, encoder)
    vectors = np.zeros((len(texts), encoder.width), np.float32)
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        if text.strip():
            rows.setdefault(text, []).append(row)
    missing = {text_key(text): text for text in rows}
    clear_leftovers(folder / _CACHE, _CACHE)
    for keys, kept in _read_parts(folder, encoder.width):
        for key, vector in zip(keys, kept, strict=True):
            if key in missing:
                vectors[rows[missing.pop(key)]] = vector
    todo = list(missing.values())
    if not todo:
        return vectors, 0
    with Progress(len(todo), "Encoding ad text", "texts", show=progress) as bar:
        if encode_parts is None:
            found = _encode(todo, tokenizer, encoder, batch_tokens, bar)
        else:
            found = _elsewhere(todo, encode_parts, folder, bar)
        for part, made in found:
            _write_part(folder, part, made)
            for text, vector in zip(part, made, strict=True):
                vectors[rows[text]] = vector
    return vectors, len(todo)


def _encode(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    batch_tokens: int,
    bar: Progress,
) -> Iterator[tuple[Sequence[str], np.ndarray]]:
    """Parts of the texts, with their vectors.

    While a part is computed, the next one is tokenised.
    """
    encode = _traced(encoder)
    begun: deque[tuple[Sequence[str], list]] = deque()

    def finish():
        part, batches = begun.popleft()
        made = np.empty((len(part), encoder.width), np.float32)
        for chosen, batch in batches:
            made[chosen] = batch.result()
            bar.update(len(chosen))
        return part, made

    with futures.ThreadPoolExecutor(_batches_at_once()) as pool:
        try:
            for part in _parts(texts):
                batches = _batches(part, tokenizer, batch_tokens)
                begun.append(
                    (part, [(c, pool.submit(encode, x)) for c, x in batches])
                )
                if len(begun) > 1:
                    yield finish()
            yield finish()
        finally:
            pool.shutdown(cancel_futures=True)


def _parts(texts: Sequence[str]) -> list[Sequence[str]]:
    starts = range(0, len(texts), _TEXTS_PER_PART)
    return [texts[start : start + _TEXTS_PER_PART] for start in starts]


def _elsewhere(
    texts: Sequence[str],
    encode_parts: EncodeParts,
    folder: pathlib.Path,
    bar: Progress,
) -> Iterator[tuple[Sequence[str], np.ndarray]]:
    """Parts of the texts, with vectors that others make."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = _parts(texts)
    with scratch_folder(folder / _CACHE, _CACHE) as scratch:
        vectors = encode_parts(parts, scratch / "parts")
        for part, made in zip(parts, vectors, strict=True):
            bar.update(len(part))
            yield part, made


def part_encoder(
    tokenizer: Tokenizer, encoder: TextEncoder, batch_tokens: int
) -> Callable[[Sequence[str]], np.ndarray]:
    """Makes vectors of a part, float32 [n, D], as `text_vectors` does."""
    encode = _traced(encoder)

    def vectors(part: Sequence[str]) -> np.ndarray:
        made = np.empty((len(part), encoder.width), np.float32)
        for chosen, batch in _batches(part, tokenizer, batch_tokens):
            made[chosen] = encode(batch)
        return made

    return vectors


def _batches_at_once() -> int:
    from tfadrec.core.door import tf

    threads = tf.config.threading.get_intra_op_parallelism_threads()
    cores = os.cpu_count() or 1
    return max(1, cores // threads) if threads else 1


def _traced(encoder: TextEncoder) -> Callable[[Inputs], np.ndarray]:
    """The encoder as a graph in which the weights are constants.

    They are cast and laid out for the processor once, then, and not per call.
    """
    from tensorflow.python.framework import convert_to_constants

    from tfadrec.core.door import tf

    ids = tf.TensorSpec([None, None], tf.int32)
    mask = tf.TensorSpec([None, None], tf.bool)

    @tf.function(input_signature=[ids, mask], autograph=False)
    def encode(token_ids, token_mask):
        inputs = {"token_ids": token_ids, "token_mask": token_mask}
        return tf.cast(encoder(inputs), tf.float32)

    called = encode
    sizes = (v.dtype.size * v.shape.num_elements() for v in encoder.weights)
    if sum(sizes) <= _MAX_CONSTANT_BYTES:
        concrete = encode.get_concrete_function()
        # A graph takes over a None for each table that was made before it,
        # which cannot be written down, as TensorFlow would warn.
        concrete.graph.clear_collection(
            tf.compat.v1.GraphKeys.TABLE_INITIALIZERS
        )
        called = convert_to_constants.convert_variables_to_constants_v2(
            concrete, lower_control_flow=False
        )

    def call(inputs):
        made = called(
            tf.constant(inputs["token_ids"]), tf.constant(inputs["token_mask"])
        )
        return tf.nest.flatten(made)[0].numpy()

    return call


def _batches(
    texts: Sequence[str], tokenizer: Tokenizer, batch_tokens: int
) -> Iterator[tuple[np.ndarray, Inputs]]:
    """Texts of like length together, so that little padding is computed."""
    ids = tokenizer.ids(texts)
    order = np.argsort([-len(row) for row in ids], kind="stable")
    start = 0
    while start < len(order):
        longest = max(len(ids[order[start]]), 1)
        chosen = order[start : start + max(batch_tokens // longest, 1)]
        yield chosen, tokenizer.pad([ids[row] for row in chosen])
        start += len(chosen)


def _model_key(tokenizer: Tokenizer, encoder: TextEncoder) -> str:
    config = encoder.get_config()
    for key in ("name", "trainable"):
        config.pop(key)
    told = [_FORMAT, type(encoder).__name__, config, tokenizer.definition]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    if not encoder.built:
        encoder.build(None)
    for variable in encoder.weights:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()[:32]


def text_key(text: str) -> bytes:
    """The SHA-256 that a text is known by."""
    return hashlib.sha256(text.encode()).digest()


def _read_parts(
    folder: pathlib.Path, width: int
) -> Iterator[tuple[list[bytes], np.ndarray]]:
    for path in sorted(folder.glob("part-*.parquet")):
        if path.is_dir():
            raise InputError(
                f"a {_CACHE} is of files. Received: {path}, which is a folder. "
                "Remove it: what it should hold is encoded again."
            )
        try:
            _check_sum(path)
            table = pq.read_table(path, page_checksum_verification=True)
            if not table.schema.equals(_part_schema(width)):
                raise ValueError(f"its columns are {table.schema}")
            flat = table["vector"].combine_chunks().flatten().to_numpy()
            keys = table["text_sha256"].to_pylist()
            kept = flat.reshape(len(keys), width)
        except (OSError, ValueError, pa.ArrowException) as error:
            _LOG.warning(
                "%s is damaged (%s): removed, its texts are encoded again.",
                path,
                " ".join(str(error).split()),
            )
            path.unlink(missing_ok=True)
            continue
        yield keys, kept


def _check_sum(path: pathlib.Path) -> None:
    """A ValueError where a file is not what its name says.

    Those of version 0.1.0 have shorter names, without their SHA-256.
    """
    told = path.stem.removeprefix("part-")
    if len(told) == 64 and facts_of_file(path)[1] != told:
        raise ValueError("its SHA-256 is another one")


def _part_schema(width: int) -> pa.Schema:
    vector = pa.list_(pa.float32(), width)
    return pa.schema([("text_sha256", pa.binary(32)), ("vector", vector)])


def _write_part(
    folder: pathlib.Path, texts: Sequence[str], vectors: np.ndarray
) -> None:
    schema = _part_schema(vectors.shape[1])
    flat = pa.array(vectors.reshape(-1))
    columns = [
        pa.array([text_key(text) for text in texts], pa.binary(32)),
        pa.FixedSizeListArray.from_arrays(flat, type=schema.types[1]),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder / _CACHE, _CACHE) as scratch:
        fresh = scratch / FRESH
        pq.write_table(
            pa.table(columns, schema=schema),
            fresh,
            use_dictionary=False,
            write_page_checksum=True,
        )
        _, digest = facts_of_file(fresh)
        os.replace(fresh, folder / f"part-{digest}.parquet")
