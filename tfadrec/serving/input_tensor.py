"""One input of a request, as a tensor."""

from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError


def input_tensor(name: str, value: Any, spec: tf.TensorSpec) -> tf.Tensor:
    """An input, of its signature's type and shape.

    Args:
      name: the input's.
      value: an array, or plain values.
      spec: of the signature.

    Raises:
      InputError: where it is of another type or shape.
    """
    wanted = f"`{name}` must be {spec.dtype.name} {_axes(spec.shape)}"
    try:
        shape = np.shape(value)
    except ValueError as error:  # lists of several lengths
        raise InputError(
            f"{wanted}. Received: lists of several lengths."
        ) from error
    if not spec.shape.is_compatible_with(shape):
        raise InputError(f"{wanted}. Received: {_axes(shape)}.")
    try:
        return tf.constant(
            value.tolist() if isinstance(value, np.ndarray) else value,
            spec.dtype,
            shape,
        )
    except (TypeError, ValueError, OverflowError) as error:
        kind = np.asarray(value).dtype.name
        raise InputError(
            f"{wanted}. Received: {kind} {_axes(shape)}."
        ) from error


def _axes(shape):
    return f"[{', '.join('?' if n is None else str(n) for n in shape)}]"
