"""Formulas of numbers, worked out on tensors."""

import ast
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfadrec.core.expression import OPERATORS

_OPERATIONS = {
    "+": tf.add,
    "-": tf.subtract,
    "*": tf.multiply,
    "/": tf.divide,
    "<": tf.less,
    "<=": tf.less_equal,
    ">": tf.greater,
    ">=": tf.greater_equal,
    "==": tf.equal,
}
_FUNCTIONS = {
    "abs": tf.abs,
    "exp": tf.exp,
    "log": tf.math.log,
    "log1p": tf.math.log1p,
    "max": tf.maximum,
    "min": tf.minimum,
    "sigmoid": tf.sigmoid,
    "sqrt": tf.sqrt,
}


def evaluate(tree: Any, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The value of a formula.

    Args:
      tree: as from `tfadrec.core.expression.parse`.
      values: float32 [...] by letter.

    Returns:
      float32 [...]; nan or infinite where it is not defined.
    """
    if isinstance(tree, ast.Constant):
        return tf.constant(tree.value, tf.float32)
    if isinstance(tree, ast.Name):
        return values[tree.id]
    if isinstance(tree, ast.UnaryOp):
        return -evaluate(tree.operand, values)
    if isinstance(tree, ast.Call):
        arguments = [evaluate(part, values) for part in tree.args]
        name: Any = tree.func
        return _FUNCTIONS[name.id](*arguments)
    if isinstance(tree, ast.Compare):
        left, right = tree.left, tree.comparators[0]
        parts = [evaluate(left, values), evaluate(right, values)]
        is_true = _OPERATIONS[OPERATORS[type(tree.ops[0])]](*parts)
        # A comparison with what is missing is missing.
        known = ~tf.math.is_nan(parts[0]) & ~tf.math.is_nan(parts[1])
        return tf.where(known, tf.cast(is_true, tf.float32), float("nan"))
    left, right = evaluate(tree.left, values), evaluate(tree.right, values)
    return _OPERATIONS[OPERATORS[type(tree.op)]](left, right)
