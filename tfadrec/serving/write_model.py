"""A service as a SavedModel, the same bytes whenever it is written."""

import hashlib
import os
import pathlib
import uuid
from collections.abc import Mapping

from tensorflow.core.protobuf import fingerprint_pb2

from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import tf

_FINGERPRINT = "fingerprint.pb"


def write_model(
    service: tf.Module,
    folder: str | os.PathLike[str],
    signatures: Mapping[str, tf.types.experimental.ConcreteFunction],
) -> None:
    """Writes a SavedModel whose files tell nothing of when they were written.

    TensorFlow names each by a random number; here that is made of the other
    fields of `fingerprint.pb`, which are sums of the model's parts.

    Args:
      service: holds the variables that its signatures read.
      folder: is made where there is none.
      signatures: by name.

    Raises:
      OSError: where a file cannot be written.
    """
    with as_os_errors():
        tf.saved_model.save(service, folder, signatures)
    file = pathlib.Path(folder, _FINGERPRINT)
    told = fingerprint_pb2.FingerprintDef.FromString(file.read_bytes())
    told.ClearField("uuid")
    sums = hashlib.sha256(told.SerializeToString(deterministic=True)).digest()
    told.uuid = str(uuid.UUID(bytes=sums[:16], version=4).int)
    file.write_bytes(told.SerializeToString(deterministic=True))
