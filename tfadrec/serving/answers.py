"""Signatures as Python functions of plain values."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import tf


def answers(
    holder: Any, signatures: Mapping[str, Any]
) -> dict[str, Callable[..., dict[str, np.ndarray]]]:
    """Makes signatures callable with NumPy arrays and plain values.

    Args:
      holder: what the signatures were loaded with; it owns their tables, and
        is kept alive.
      signatures: name -> concrete function.

    Returns:
      Name -> function from keyword arguments to NumPy arrays.
    """
    return {
        name: functools.partial(_answer, holder, signature)
        for name, signature in signatures.items()
    }


def _answer(holder, signature, **request):
    specs = signature.structured_input_signature[1]
    tensors = {
        name: tf.constant(
            value.tolist() if isinstance(value, np.ndarray) else value,
            specs[name].dtype,
            np.shape(value),
        )
        for name, value in request.items()
    }
    return {k: v.numpy() for k, v in signature(**tensors).items()}
