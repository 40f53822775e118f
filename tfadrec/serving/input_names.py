"""What the inputs of a bundle are called."""

import pathlib

from tensorflow.core.protobuf import saved_model_pb2

#: Before the name of a feature in the input that filters by it.
ALLOW = "allow_"


def input_names(folder: pathlib.Path) -> set[str]:
    """The inputs of all signatures of a version.

    Args:
      folder: holds saved_model.pb.
    """
    model = saved_model_pb2.SavedModel.FromString(
        (folder / "saved_model.pb").read_bytes()
    )
    return {
        name
        for meta in model.meta_graphs
        for signature in meta.signature_def.values()
        for name in signature.inputs
    }
