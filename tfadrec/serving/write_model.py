"""A service as a SavedModel, the same bytes whenever it is written."""

import hashlib
import os
import pathlib
import shutil
import uuid
from collections.abc import Mapping
from typing import Any

from tensorflow.core.protobuf import (
    fingerprint_pb2,
    saved_model_pb2,
    trackable_object_graph_pb2,
)
from tensorflow.python.saved_model import fingerprinting_utils

from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import tf

_FINGERPRINT, _MODEL, _ASSETS = "fingerprint.pb", "saved_model.pb", "assets"
#: The values of variables, and of what they are parts.
_VARIABLES = pathlib.Path("variables", "variables")
_PARTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
#: What an op has whose gradient is a function of its own.
_GRADIENT = "_gradient_op_type"


def write_model(
    service: tf.Module,
    folder: str | os.PathLike[str],
    signatures: Mapping[str, tf.types.experimental.ConcreteFunction],
) -> None:
    """Writes a SavedModel whose files tell nothing of when they were written.

    TensorFlow names each by a random number; here that is made of the other
    fields of `fingerprint.pb`, which are sums of the model's parts.

    The gradients of ops that have their own are left out. Nobody trains a
    bundle, and those that `explain` needs are in its graph: to trace, to save
    and to load the others takes as long as all signatures together.

    Args:
      service: holds the variables that its signatures read.
      folder: is made where there is none.
      signatures: by name.

    Raises:
      OSError: where a file cannot be written.
    """
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    with as_os_errors():
        tf.saved_model.save(service, folder, signatures, options)
        _forget_gradients(pathlib.Path(folder, _MODEL))
        _leave_out_if_empty(pathlib.Path(folder, _ASSETS))
        _write_fingerprint(pathlib.Path(folder))


def write_values(loaded: Any, old: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes a SavedModel that was loaded, and whose variables have changed.

    All else stays as it is. To save what was loaded would trace functions that
    call those of the file, so that the graph grew from version to version.

    Args:
      loaded: from `old`.
      old: a folder of `write_model`, or of this function.
      folder: of the new one, without its assets; it is there.

    Raises:
      OSError: where a file cannot be written.
    """
    with as_os_errors():
        reader = tf.train.load_checkpoint(str(old / _VARIABLES))
        names = sorted(reader.get_variable_to_shape_map())
        variables = _variables(loaded, reader.get_tensor(_PARTS))
        (folder / _VARIABLES).parent.mkdir()
        tf.raw_ops.SaveV2(
            prefix=str(folder / _VARIABLES),
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[
                tf.constant(reader.get_tensor(name))
                if name == _PARTS
                else variables[name].read_value()
                for name in names
            ],
        )
        shutil.copy2(old / _MODEL, folder / _MODEL)
        _write_fingerprint(folder)


def _variables(loaded: Any, parts: bytes) -> dict[str, tf.Variable]:
    """The variables of a loaded SavedModel, by their names in its file.

    Args:
      loaded: the SavedModel.
      parts: of what the file says it is made.
    """
    nodes = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        parts
    ).nodes
    found: dict[str, tf.Variable] = {}
    seen: set[int] = set()
    left = [(0, loaded)]
    while left:
        number, part = left.pop()
        if number in seen or part is None:  # as what functions capture is
            continue
        seen.add(number)
        found |= {
            each.checkpoint_key: part for each in nodes[number].attributes
        }
        left += [
            (each.node_id, part._lookup_dependency(each.local_name))
            for each in nodes[number].children
        ]
    return found


def _write_fingerprint(folder: pathlib.Path) -> None:
    """Writes the sums of a model's parts, and nothing of when."""
    fingerprinting_utils.write_fingerprint(str(folder))
    file = folder / _FINGERPRINT
    told = fingerprint_pb2.FingerprintDef.FromString(file.read_bytes())
    told.ClearField("uuid")
    sums = hashlib.sha256(told.SerializeToString(deterministic=True)).digest()
    told.uuid = str(uuid.UUID(bytes=sums[:16], version=4).int)
    file.write_bytes(told.SerializeToString(deterministic=True))


def _leave_out_if_empty(assets: pathlib.Path) -> None:
    """Has a version be its files alone, as one is that a delta has made."""
    if assets.is_dir() and not any(assets.iterdir()):
        assets.rmdir()


def _forget_gradients(file: pathlib.Path) -> None:
    """Has no op name a gradient that is not there: to load it would warn."""
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta in model.meta_graphs:
        for function in meta.graph_def.library.function:
            for node in function.node_def:
                node.attr.pop(_GRADIENT, None)
    file.write_bytes(model.SerializeToString(deterministic=True))
