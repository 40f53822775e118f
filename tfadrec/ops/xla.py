"""Whether XLA compiles what is being traced."""

import tensorflow as tf
from tensorflow.python.ops import control_flow_util


def is_compiling() -> bool:
    """True inside a function with `jit_compile=True`, and on TPUs.

    There, shapes are fixed and some ops are missing: a layer takes a form that
    XLA can compile, with the same result.
    """
    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)
