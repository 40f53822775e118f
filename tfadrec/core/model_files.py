"""The files of a language model's folder, bounded before they are read."""

import json
import os
import pathlib
import stat
from collections.abc import Mapping
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest, first_damaged
from tfadrec.core.read_json import read_json

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
#: Names, types and shapes of tensors: some hundred bytes each.
_MOST_HEADER = 1 << 24
#: The sizes of the model types that are known; a token or a place of each is a
#: row as wide as the model, or more, in the weights.
_WIDTHS = ("hidden_size", "n_embd", "d_model")
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
_ROWS = (
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "intermediate_size",
    "n_inner",
    "d_ff",
)
#: Of T5, whose positions are buckets, and of all of its heads together.
_FEW = ("num_heads", "d_kv", "relative_attention_num_buckets")
_MOST_FEW = 1 << 16


def weight_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files of weights of a model folder, which are all in it.

    Raises:
      InputError: where the list of files is none, or names a file elsewhere.
    """
    single, index = folder / _WEIGHTS, folder / _INDEX
    if single.exists() or not index.exists():
        return [single]
    try:
        listed = read_json(index)["weight_map"]
        names = set(listed.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "The list of weight files must be JSON with a `weight_map` of "
            f"names. Received: {index}: {' '.join(repr(error).split())[:200]}. "
            "Fetch the model again."
        ) from error
    for name in names:
        if not _is_weight_file(name):
            raise InputError(
                "The list of weight files must name safetensors files of its "
                f"own folder. Received: {str(name)[:200]!r} in {index}. Fetch "
                "the model again."
            )
    return [folder / name for name in sorted(names)]


def check_sizes(config: Mapping[str, Any], folder: pathlib.Path) -> None:
    """Refuses a config that describes a larger model than the weights are.

    So no memory is asked for that the files do not fill.

    Args:
      config: of a model.
      folder: with its weights.

    Raises:
      InputError: with the size that is too large, or where a file of weights
        is damaged.
    """
    numbers = sum(_count(path) for path in weight_files(folder))
    sizes = {
        name: config[name]
        for name in (*_WIDTHS, *_LAYERS, *_ROWS, *_FEW)
        if config.get(name) is not None
    }
    width = next((sizes[n] for n in _WIDTHS if n in sizes), 1)
    for name, size in sizes.items():
        if type(size) is not int or size < 0:
            raise _refusal(folder, f"{name}={str(size)[:50]!r}")
        if name in _FEW:
            is_large = size > _MOST_FEW
        elif name in _LAYERS:
            is_large = size * width * width > numbers
        else:
            is_large = size * width > numbers
        if is_large:
            raise _refusal(folder, f"{name}={size}")


def check_weights(path: pathlib.Path) -> None:
    """Refuses a file of weights whose header cannot be one.

    Raises:
      InputError: with what is wrong.
    """
    _count(path)


def require_whole(folder: pathlib.Path) -> None:
    """Refuses a model that tfadrec wrote, where a file has changed since.

    Raises:
      InputError: with the name of the file.
    """
    try:
        manifest = Manifest.in_folder(folder)
    except InputError:
        return  # other programs have files of that name, too
    damaged = manifest and first_damaged(folder, sorted(manifest.files))
    if damaged:
        raise InputError(
            "A model's files must be as they were written. Received: "
            f"{folder}, where {damaged} is not. Pretrain it again, or remove a "
            "folder of the cache; or, if you have changed it yourself, remove "
            "manifest.json."
        )


def _is_weight_file(name: Any) -> bool:
    return (
        isinstance(name, str)
        and name.endswith(".safetensors")
        and "\0" not in name
        and "/" not in name
        and "\\" not in name
        and name == os.path.basename(name)
    )


def _count(path: pathlib.Path) -> int:
    """How many numbers a file of weights holds, as its header says."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("it is no file")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(_MOST_HEADER, facts.st_size - 8):
                raise ValueError(f"its header would have {length:,} bytes")
            told = json.loads(file.read(length))
        held = facts.st_size - 8 - length
        total = 0
        for name, tensor in told.items():
            if name == "__metadata__":
                continue
            begin, end = tensor["data_offsets"]
            if not 0 <= begin <= end <= held:
                raise ValueError(f"{name} lies outside of it")
            total += end - begin
        if total > held:
            raise ValueError("its tensors overlap")
        # No type has less than a byte, and not all tensors have four.
        return total
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise InputError(
            "The weights must be a whole safetensors file. Received: "
            f"{path}: {' '.join(str(error).split())[:200]}. Fetch the model "
            "again."
        ) from error


def _refusal(folder: pathlib.Path, what: str) -> InputError:
    return InputError(
        "A model's config.json must describe the weights beside it. Received: "
        f"{what} in {folder}, for which the weights are too small. Fetch the "
        "model again."
    )
