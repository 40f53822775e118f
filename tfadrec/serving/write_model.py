"""A service as a SavedModel, the same bytes whenever it is written."""

import hashlib
import os
import pathlib
import uuid
from collections.abc import Mapping

from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2
from tensorflow.python.saved_model import fingerprinting_utils

from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import tf

_FINGERPRINT, _MODEL, _ASSETS = "fingerprint.pb", "saved_model.pb", "assets"
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
        fingerprinting_utils.write_fingerprint(str(folder))
        _leave_out_if_empty(pathlib.Path(folder, _ASSETS))
    file = pathlib.Path(folder, _FINGERPRINT)
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
