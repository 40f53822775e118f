"""Signatures as Python functions of plain values."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError


def answers(
    holder: Any, signatures: Mapping[str, Any]
) -> dict[str, Callable[..., dict[str, np.ndarray]]]:
    """Makes signatures callable with NumPy arrays and plain values.

    Args:
      holder: what the signatures were loaded with; it owns their tables, and
        is kept alive.
      signatures: name -> concrete function.

    Returns:
      Name -> function from keyword arguments to NumPy arrays. It raises an
      InputError where an input is missing, unknown, or of another type or
      shape.
    """
    return {
        name: functools.partial(_answer, holder, signature)
        for name, signature in signatures.items()
    }


def _answer(holder, signature, **request):
    specs = signature.structured_input_signature[1]
    _check_names(request, specs)
    tensors = {
        name: _tensor(name, value, specs[name])
        for name, value in request.items()
    }
    _check_rows(tensors)
    return {k: v.numpy() for k, v in signature(**tensors).items()}


def _check_names(request, specs):
    """Refuses a request that lacks inputs, or has others."""
    missing, unknown = set(specs) - set(request), set(request) - set(specs)
    if missing:
        raise InputError(
            'all inputs must be there, and what is not known is "" or NaN. '
            f"Received: no {_listed(missing)}."
            + (f" Unknown: {_listed(unknown)}." if unknown else "")
        )
    if unknown:
        raise InputError(
            f"inputs are {_listed(specs)}. Received: {_listed(unknown)}."
        )


def _tensor(name, value, spec):
    """An input, of the signature's type and shape."""
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
    except (TypeError, ValueError) as error:
        kind = np.asarray(value).dtype.name
        raise InputError(
            f"{wanted}. Received: {kind} {_axes(shape)}."
        ) from error


def _check_rows(tensors):
    """Refuses inputs of another number of rows: each has one for a request."""
    rows = {name: len(tensor) for name, tensor in tensors.items()}
    if len(set(rows.values())) > 1:
        told = ", ".join(f"{name} {n}" for name, n in sorted(rows.items()))
        raise InputError(
            f"all inputs must have the same number of rows. Received: {told}."
        )


def _listed(names):
    return ", ".join(sorted(names))


def _axes(shape):
    return f"[{', '.join('?' if n is None else str(n) for n in shape)}]"
