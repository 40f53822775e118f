"""Formulas of numbers, worked out on tensors."""

import math
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
    "float": lambda x: tf.cast(x, tf.float64),
}
#: 10^k; exact, as doubles.
_POWERS = [10.0**k for k in range(23)]


def in_units(
    columns: tf.Tensor, mean: float, std: float, log1p: bool
) -> tf.Tensor:
    """Standardised numbers in the unit of their column.

    float32 holds a standardised z up to |z| / 2^24. So a number is rounded to
    as many decimals as that surely tells, 22 at most, and one with no more than
    these is what it was in the log, to the last bit: an age of 18 is >= 18.

    Args:
      columns: float32 [...], nan where missing; see `data.features.Number`.
      mean: of the numbers, after `log1p`.
      std: of the numbers, after `log1p`, > 0.
      log1p: whether x is read as sign(x) log(1 + |x|).

    Returns:
      float64 [...], nan where missing.
    """
    offset = tf.cast(columns, tf.float64) * std
    values = offset + mean
    error = tf.abs(offset) / 2**24 + (tf.abs(values) + abs(mean)) / 2**50
    if log1p:
        values = tf.sign(values) * tf.math.expm1(tf.abs(values))
        error *= 1 + tf.abs(values)
    # A step of the decimals is more than twice the error.
    decimals = tf.floor(-tf.math.log(2 * error) / math.log(10))
    is_nan = tf.math.is_nan(decimals)
    decimals = tf.where(is_nan, tf.zeros_like(decimals), decimals)
    decimals = tf.clip_by_value(decimals, 0, len(_POWERS) - 1)
    powers = tf.constant(_POWERS, tf.float64)
    powers = tf.gather(powers, tf.cast(decimals, tf.int32))
    return tf.round(values * powers) / powers


def evaluate(tree: Any, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The value of a formula.

    Args:
      tree: as from `tfadrec.core.expression.parse`.
      values: float64 [...] by letter.

    Returns:
      float64 [...]; nan or infinite where it is not defined.
    """
    return expression.evaluate(tree, values, _TENSORFLOW)
