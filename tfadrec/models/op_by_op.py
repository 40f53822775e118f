"""Models that run without a graph, where there is too little to do for one."""

import contextlib
from collections.abc import Iterator

from tfadrec.core.door import keras, tf


def runs_op_by_op(model: keras.Model) -> bool:
    """Whether a model can: it has no replicas, and no compiler is asked for."""
    if model.jit_compile:
        return False
    with model.distribute_strategy.scope():
        return not tf.distribute.has_strategy()


@contextlib.contextmanager
def fitted_op_by_op(model: keras.Model) -> Iterator[None]:
    """Has `fit` take its steps op by op in the block, where there is no graph.

    Args:
      model: compiled.
    """
    if model.train_function is not None or not runs_op_by_op(model):
        yield
        return
    before = model.run_eagerly
    model.run_eagerly = True
    try:
        yield
    finally:
        model.run_eagerly = before
        model.train_function = None
