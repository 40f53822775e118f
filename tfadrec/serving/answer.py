"""A signature as a Python function of plain values."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.serving.input_names import ALLOW
from tfadrec.serving.input_tensor import input_tensor


class Answer:
    """Answers requests of NumPy arrays and plain values with NumPy arrays.

    Args:
      holder: what the signature was loaded with; it owns its tables, and is
        kept alive.
      signature: a concrete function.

    Call args:
      **request: all inputs, by name.

    Raises:
      InputError: where an input is missing, unknown, or of another type or
        shape.
    """

    def __init__(self, holder: Any, signature: Any) -> None:
        self._holder, self._signature = holder, signature

    @property
    def inputs(self) -> Mapping[str, tf.TensorSpec]:
        """The inputs by name."""
        return dict(self._signature.structured_input_signature[1])

    def __call__(self, **request: Any) -> dict[str, np.ndarray]:
        """The answer to a request."""
        specs = self.inputs
        _check_names(request, specs)
        tensors = {
            name: input_tensor(name, value, specs[name])
            for name, value in request.items()
        }
        _check_rows(tensors)
        return {k: v.numpy() for k, v in self._signature(**tensors).items()}


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
        mend = ""
        if any(name.startswith(ALLOW) for name in unknown):
            mend = " What requests filter by is named at the export, --filter."
        raise InputError(
            f"inputs are {_listed(specs)}. Received: {_listed(unknown)}.{mend}"
        )


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
