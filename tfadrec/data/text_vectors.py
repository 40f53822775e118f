"""The ad copy as vectors, computed once per text and kept on disk."""

import hashlib
import json
import logging
import os
import pathlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tqdm

from tfadrec.core import fetch
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.tokenizer import Tokenizer, ad_text

_LOG = logging.getLogger(__name__)
#: Part of the key: raised when the same text and model give another vector.
_FORMAT = 1
_TEXTS_PER_PART = 2048
_LENGTH_MULTIPLE = 8


class TextEncoder(Protocol):
    """What is asked of a text layer: a Keras layer with three sizes."""

    width: int
    vocabulary_size: int
    max_tokens: int
    built: bool
    weights: Sequence[Any]

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        """Ad vectors [n, D] of token ids and their mask, [n, L]."""


def encode_text(
    catalogue: Catalogue,
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    *,
    cache: str | os.PathLike[str] | None = None,
    batch_size: int = 64,
    progress: bool = True,
) -> Catalogue:
    """A catalogue with the vector column `text`, made of its ad copy.

    The text is `tokenizer.ad_text` of title, description and tags. The other
    arguments are those of `text_vectors`.
    """
    ads = zip(
        catalogue.titles, catalogue.descriptions, catalogue.tags, strict=True
    )
    vectors = text_vectors(
        [ad_text(*ad) for ad in ads],
        tokenizer,
        encoder,
        cache=cache,
        batch_size=batch_size,
        progress=progress,
    )
    return catalogue.with_vectors("text", vectors)


def text_vectors(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    *,
    cache: str | os.PathLike[str] | None = None,
    batch_size: int = 64,
    progress: bool = True,
) -> np.ndarray:
    """The vectors of texts, each distinct text encoded once and kept on disk.

    A vector is kept under a key made of the text and of all that makes its
    vector: the encoder's config and weights, and the tokenizer. It is written
    every few thousand texts, so a killed run goes on where it stopped.

    Args:
      texts: n texts. An empty one has the zero vector.
      tokenizer: the encoder's.
      encoder: a text layer.
      cache: the folder that keeps the vectors, one sub-folder per model; by
        default `text_vectors` in `tfadrec.core.fetch.cache_dir()`.
      batch_size: texts per call of the encoder, >= 1.
      progress: whether a progress bar is shown on standard error.

    Returns:
      float32 [n, D].

    Raises:
      InputError: where the tokenizer does not fit the encoder.
    """
    tokenizer.check_fits(encoder.vocabulary_size, encoder.max_tokens)
    root = pathlib.Path(cache or fetch.cache_dir() / "text_vectors")
    folder = root / _model_key(tokenizer, encoder)
    vectors = np.zeros((len(texts), encoder.width), np.float32)
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        if text.strip():
            rows.setdefault(text, []).append(row)
    missing = {_text_key(text): text for text in rows}
    for keys, kept in _read_parts(folder, encoder.width):
        for key, vector in zip(keys, kept, strict=True):
            if key in missing:
                vectors[rows[missing.pop(key)]] = vector
    todo = list(missing.values())
    encode = _traced(encoder)
    with tqdm.tqdm(
        total=len(todo),
        desc="Encoding ad text",
        unit="ad",
        disable=not (progress and todo),
    ) as bar:
        for start in range(0, len(todo), _TEXTS_PER_PART):
            part = todo[start : start + _TEXTS_PER_PART]
            made = np.empty((len(part), encoder.width), np.float32)
            for chosen, inputs in _batches(part, tokenizer, batch_size):
                made[chosen] = encode(inputs)
                bar.update(len(chosen))
            _write_part(folder, part, made)
            for text, vector in zip(part, made, strict=True):
                vectors[rows[text]] = vector
    return vectors


def _traced(
    encoder: TextEncoder,
) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    from tfadrec.core.door import tf

    @tf.function(
        input_signature=[
            {
                "token_ids": tf.TensorSpec([None, None], tf.int32),
                "token_mask": tf.TensorSpec([None, None], tf.bool),
            }
        ],
        autograph=False,
    )
    def encode(inputs):
        return tf.cast(encoder(inputs), tf.float32)

    return lambda inputs: encode(inputs).numpy()


def _batches(
    texts: Sequence[str], tokenizer: Tokenizer, batch_size: int
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Texts of like length together, so that little padding is computed."""
    ids = tokenizer.ids(texts)
    order = np.argsort([-len(row) for row in ids], kind="stable")
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        rows = [ids[row] for row in chosen]
        yield chosen, tokenizer.pad(rows, multiple=_LENGTH_MULTIPLE)


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


def _text_key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _read_parts(
    folder: pathlib.Path, width: int
) -> Iterator[tuple[list[bytes], np.ndarray]]:
    for path in sorted(folder.glob("part-*.parquet")):
        try:
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


def _part_schema(width: int) -> pa.Schema:
    vector = pa.list_(pa.float32(), width)
    return pa.schema([("text_sha256", pa.binary(32)), ("vector", vector)])


def _write_part(
    folder: pathlib.Path, texts: Sequence[str], vectors: np.ndarray
) -> None:
    schema = _part_schema(vectors.shape[1])
    flat = pa.array(vectors.reshape(-1))
    columns = [
        pa.array([_text_key(text) for text in texts], pa.binary(32)),
        pa.FixedSizeListArray.from_arrays(flat, type=schema.types[1]),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid.uuid4().hex
    scratch = folder / f"scratch-{name}"
    pq.write_table(
        pa.table(columns, schema=schema),
        scratch,
        use_dictionary=False,
        write_page_checksum=True,
    )
    os.replace(scratch, folder / f"part-{name}.parquet")
