"""Signatures as Python functions of plain values."""

from collections.abc import Mapping
from typing import Any

from tfadrec.serving.answer import Answer


def answers(holder: Any, signatures: Mapping[str, Any]) -> dict[str, Answer]:
    """Makes signatures callable with NumPy arrays and plain values.

    Args:
      holder: what the signatures were loaded with; it owns their tables, and
        is kept alive.
      signatures: name -> concrete function.

    Returns:
      Name -> function from keyword arguments to NumPy arrays.
    """
    return {
        name: Answer(holder, signature)
        for name, signature in signatures.items()
    }
