"""Which ops of a SavedModel a server may not have."""

import pathlib

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

_TEXT = (
    "of TF.Text: TensorFlow Serving 2.2 and later, which link a version of it "
    "that may be older than the server"
)
_CUSTOM = "of no TensorFlow release: a server that is built with it"


def foreign_ops(folder: pathlib.Path) -> dict[str, str]:
    """The ops of a SavedModel that core TensorFlow does not have.

    An op is core where TensorFlow itself, without any library beside it, has
    it in `tf.raw_ops`.

    Args:
      folder: holds saved_model.pb.

    Returns:
      Op -> which servers have it, by name; nothing where all ops are core.
    """
    model = saved_model_pb2.SavedModel.FromString(
        (folder / "saved_model.pb").read_bytes()
    )
    ops = set()
    for meta in model.meta_graphs:
        graph = meta.graph_def
        ops |= {node.op for node in graph.node}
        for function in graph.library.function:
            ops |= {node.op for node in function.node_def}
        ops -= {function.signature.name for function in graph.library.function}
    return {
        op: _TEXT if op.startswith("TFText>") else _CUSTOM
        for op in sorted(ops)
        if not hasattr(tf.raw_ops, op)
    }
