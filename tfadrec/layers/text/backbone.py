"""TF models of transformers as parts of a layer: construction and weights."""

import contextlib
import hashlib
import logging
import pathlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from transformers import TFPreTrainedModel
from transformers.modeling_tf_pytorch_utils import (
    TransposeType,
    convert_tf_weight_name_to_pt_weight_name,
)

from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.core.model_files import (
    check_sizes,
    check_weights,
    require_whole,
    weight_files,
)
from tfadrec.core.read_json import read_json


@contextlib.contextmanager
def construction(policy: keras.mixed_precision.Policy) -> Iterator[None]:
    """The surroundings in which a TF model of transformers is constructed.

    Such a model ignores a dtype argument and follows the global policy, which
    is therefore `policy` in here. The notice that transformers 5 has no TF
    models is kept from the log: the dependency is bounded below 5.
    """
    before = keras.mixed_precision.global_policy()
    log = logging.getLogger("transformers.modeling_tf_utils")

    def keep(record: logging.LogRecord) -> bool:
        return "classes are deprecated" not in record.getMessage()

    log.addFilter(keep)
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
        log.removeFilter(keep)


def read_config(folder: pathlib.Path, model_type: str) -> dict[str, Any]:
    """The plain config of a model folder.

    Raises:
      InputError: where it is unreadable, or describes another kind of model,
        or one that is larger than the weights beside it.
    """
    path = folder / "config.json"
    try:
        config = read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"A model's config.json must be readable JSON. Received: {path}: "
            f"{error}. Put a whole model folder there."
        ) from error
    received = config.get("model_type") if isinstance(config, dict) else config
    if received != model_type:
        raise InputError(
            f"The model must be of type {model_type!r}. Received: {received!r} "
            f"in {path}. Name a {model_type} model, or use the encoder for "
            "that type."
        )
    check_sizes(config, folder)
    return config


def by_name(model: TFPreTrainedModel, scope: str) -> dict[str, tf.Variable]:
    """The weights of a backbone by the names that PyTorch gives them.

    Args:
      model: the backbone, with its weights.
      scope: that their names start with, with its last slash.
    """
    prefix = model.base_model_prefix
    return {
        _torch_name(variable.name.removeprefix(scope), variable.shape, prefix)[
            0
        ]: variable
        for variable in model.weights
    }


def require_tracked(
    variables: Mapping[str, tf.Variable], tracked: Sequence[tf.Variable]
) -> None:
    """Makes sure that Keras knows the weights of a backbone.

    A layer of Keras 3 would lose them without a word, and save nothing.

    Args:
      variables: of the backbone, as `by_name` gives them.
      tracked: the weights of the layer around it.

    Raises:
      RuntimeError: where one of them is not tracked.
    """
    known = {id(variable) for variable in tracked}
    lost = [n for n, v in variables.items() if id(v) not in known]
    if lost or not known:
        raise RuntimeError(
            "A Keras layer must track every weight of its backbone. "
            f"Received: a layer without {', '.join(lost) or 'weights'}."
        )


def size_of(variables: Sequence[tf.Variable]) -> int:
    """How many numbers the weights have together."""
    return sum(variable.shape.num_elements() for variable in variables)


def sha256_of(variables: Mapping[str, tf.Variable]) -> str:
    """A hash of weights and their names, the same in every process."""
    digest = hashlib.sha256()
    for name in sorted(variables):
        digest.update(name.encode())
        digest.update(variables[name].numpy().tobytes())
    return digest.hexdigest()


def load_weights(
    variables: Mapping[str, tf.Variable],
    folder: pathlib.Path,
    *,
    prefix: str,
    unused: str,
    tied: Mapping[str, str],
) -> None:
    """Fills a backbone from safetensors of PyTorch or TensorFlow layout.

    Args:
      variables: of the backbone, as `by_name` gives them.
      folder: holds `model.safetensors`, or `model.safetensors.index.json` and
        the files that it lists.
      prefix: the backbone's name inside a model with a head, as `bert`.
      unused: a pattern for the names of heads and buffers, which a file may
        hold beside the backbone's weights.
      tied: other names of weights, which hold the same values.

    Raises:
      InputError: where a file is damaged or missing, or a weight is missing,
        unexpected or of another shape; all such weights are named.
    """
    tensors: dict[str, tuple[np.ndarray, bool]] = {}
    require_whole(folder)
    for path in weight_files(folder):
        tensors.update(_read(path, prefix))
    for name, own in tied.items():
        if name in tensors:
            tensors.setdefault(own, tensors.pop(name))
    values, faults = [], []
    for name, variable in variables.items():
        value, is_torch = tensors.pop(name, (None, False))
        if value is None:
            faults.append(f"{name} is missing")
            continue
        if is_torch and _is_transposed(variable):
            value = value.T
        # GPT-2's biases are rows in TensorFlow.
        if variable.shape == [1, *value.shape]:
            value = value[np.newaxis]
        if value.shape != tuple(variable.shape):
            faults.append(
                f"{name} has the shape {value.shape} where config.json asks "
                f"for {tuple(variable.shape)}"
            )
        values.append(value)
    faults += [
        f"{n} is unexpected" for n in tensors if not re.search(unused, n)
    ]
    if faults:
        raise InputError(
            "The weights must be those that config.json describes. Received: "
            f"{'; '.join(faults)} in {folder}. Fetch the model again."
        )
    for variable, value in zip(variables.values(), values, strict=True):
        variable.assign(value.astype(variable.dtype.as_numpy_dtype))


def holds_any(folder: pathlib.Path, names: Collection[str]) -> bool:
    """Whether the files of `load_weights` have one of the weights.

    Args:
      folder: as of `load_weights`.
      names: as PyTorch has them.

    Raises:
      InputError: where a file is damaged or missing.
    """
    return any(
        not _read(path, "").keys().isdisjoint(names)
        for path in weight_files(folder)
    )


def _read(
    path: pathlib.Path, prefix: str
) -> dict[str, tuple[np.ndarray, bool]]:
    """The file's tensors by PyTorch name; True = PyTorch's axis order."""
    check_weights(path)
    try:
        tensors = safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            "The weights must be a whole safetensors file. Received: "
            f"{path}: {error}. Fetch the model again."
        ) from error
    named = {}
    for name, value in tensors.items():
        is_torch = "/" not in name
        if is_torch:
            name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
            name = name.replace("LayerNorm.beta", "LayerNorm.bias")
            name = name.removeprefix(f"{prefix}.")
        else:
            name, _ = _torch_name(f"model/{name}", value.shape, prefix)
        named[name] = (value, is_torch)
    return named


def _is_transposed(variable: tf.Variable) -> bool:
    _, transpose = convert_tf_weight_name_to_pt_weight_name(
        variable.name, tf_weight_shape=variable.shape
    )
    return transpose is TransposeType.SIMPLE


def _torch_name(name: str, shape: Any, prefix: str) -> tuple[str, Any]:
    name, transpose = convert_tf_weight_name_to_pt_weight_name(
        name, tf_weight_shape=shape
    )
    return name.removeprefix(f"{prefix}."), transpose
