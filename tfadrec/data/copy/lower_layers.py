"""What the frozen lower layers of an encoder make of the ad copy, on disk."""

import hashlib
import json
import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tfadrec.core import fetch
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import NAME, first_damaged
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.core.progress import Progress
from tfadrec.core.scratch_array import reserve
from tfadrec.data.tokens import Tokens

#: Part of the key: raised when the same tokens and weights give another table.
_FORMAT = 1
_CACHE, _TABLE = "cache of lower layers", "table.bin"


class LayeredEncoder(Protocol):
    """What is asked of a text layer whose lower layers are frozen."""

    width: int
    num_frozen_layers: int
    compute_dtype: str
    built: bool
    non_trainable_weights: Sequence[Any]

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""

    def lower(self, inputs: dict[str, Any]) -> Any:
        """Token vectors [n, L, H] of token ids and their mask, [n, L]."""


def lower_layers(
    tokens: Tokens,
    encoder: LayeredEncoder,
    *,
    cache: str | os.PathLike[str] | None = None,
    batch_size: int = 64,
    progress: bool = True,
) -> pathlib.Path:
    """The file of the lower layers' outputs, computed where there is none.

    A file is kept under a key made of the token ids and of all that makes the
    outputs: the encoder's config, its precision and its frozen weights. It is
    as large as 4 H bytes a token, or 2 H in half precision, and is only used
    where it has the SHA-256 that it was written with.

    Args:
      tokens: of the catalogue.
      encoder: with frozen lower layers.
      cache: the folder of such files, by default `lower_layers` in
        `tfadrec.core.fetch.cache_dir()`.
      batch_size: texts per call of the encoder, >= 1.
      progress: whether a progress bar is shown on standard error.

    Returns:
      The file: [M + 1, H] of the encoder's compute dtype, one row for each
      token, in the order of `tokens.ids`, and zeros for padding.

    Raises:
      InputError: where the encoder has no frozen layer, the file has changed,
        or something else is in its place.
      OSError: where it cannot be written.
    """
    if not encoder.num_frozen_layers:
        raise InputError(
            "the lower layers are kept where they are frozen. Received: an "
            "encoder whose layers are all trained. Tune it with `top_layers`."
        )
    if not encoder.built:
        encoder.build(None)
    root = pathlib.Path(cache or fetch.cache_dir() / "lower_layers")
    folder = OwnedFolder(root / _key(tokens, encoder), _CACHE)
    path = folder.path / _TABLE
    if not (folder.is_made and (folder.path / NAME).exists()):
        with folder.replacing() as fresh:
            _write(fresh / _TABLE, tokens, encoder, batch_size, progress)
    elif first_damaged(folder.path, [_TABLE]):
        raise InputError(
            f"a {_CACHE} must be as it was written. Received: {path}, which is "
            f"not. Remove {folder.path}: it is computed again."
        )
    return path


def _write(path, tokens, encoder, batch_size, progress) -> None:
    import tensorflow as tf

    dtype = tf.as_dtype(encoder.compute_dtype).as_numpy_dtype
    shape = (len(tokens.ids) + 1, encoder.width)
    with path.open("wb") as file:
        reserve(file, math.prod(shape) * np.dtype(dtype).itemsize)
    table = np.memmap(path, dtype, "r+", shape=shape)
    lower = tf.function(
        encoder.lower,
        input_signature=[
            {
                "token_ids": tf.TensorSpec([None, None], tf.int32),
                "token_mask": tf.TensorSpec([None, None], tf.bool),
            }
        ],
        autograph=False,
    )
    order = np.argsort(-tokens.lengths, kind="stable")
    with Progress(len(order), "Lower layers", "ads", show=progress) as bar:
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            lengths = tokens.lengths[chosen]
            steps = np.arange(lengths.max())
            mask = steps < lengths[:, None]
            places = (tokens.starts[chosen][:, None] + steps)[mask]
            token_ids = np.zeros(mask.shape, np.int32)
            token_ids[mask] = tokens.ids[places]
            inputs = {"token_ids": token_ids, "token_mask": mask}
            table[places] = lower(inputs).numpy()[mask]
            bar.update(len(chosen))
    table.flush()


def _key(tokens: Tokens, encoder: LayeredEncoder) -> str:
    config = encoder.get_config()
    for key in ("name", "trainable", "pooling"):
        config.pop(key)
    told = [_FORMAT, type(encoder).__name__, config]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for variable in encoder.non_trainable_weights:
        if variable.dtype.is_floating:  # the others count draws of dropout
            digest.update(variable.numpy().tobytes())
    for array in (tokens.ids, tokens.starts):
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]
