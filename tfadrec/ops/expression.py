"""Formulas of numbers, worked out on tensors."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfadrec.core import expression

_TENSORFLOW = {
    "+": tf.add,
    "-": tf.subtract,
    "*": tf.multiply,
    "/": tf.divide,
    "<": tf.less,
    "<=": tf.less_equal,
    ">": tf.greater,
    ">=": tf.greater_equal,
    "==": tf.equal,
    "abs": tf.abs,
    "exp": tf.exp,
    "log": tf.math.log,
    "log1p": tf.math.log1p,
    "max": tf.maximum,
    "min": tf.minimum,
    "sigmoid": tf.sigmoid,
    "sqrt": tf.sqrt,
    "where": tf.where,
    "is_nan": tf.math.is_nan,
    "float": lambda x: tf.cast(x, tf.float32),
}


def evaluate(tree: Any, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The value of a formula.

    Args:
      tree: as from `tfadrec.core.expression.parse`.
      values: float32 [...] by letter.

    Returns:
      float32 [...]; nan or infinite where it is not defined.
    """
    return expression.evaluate(tree, values, _TENSORFLOW)
