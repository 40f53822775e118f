"""What is left open in a search space, as it stands in YAML."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.core.errors import InputError

KINDS = ("choice", "int", "float")


def kind_of(node: Any) -> str | None:
    """Which choice a node is, if it is one.

    Raises:
      InputError: where there is more in it than a choice and its default.
    """
    if not isinstance(node, Mapping):
        return None
    kinds = [kind for kind in KINDS if kind in node]
    if kinds and set(node) - {kinds[0], "default"}:
        raise InputError(
            "a choice is one of {choice: [...]}, {int: {...}} and "
            "{float: {...}}, with a default beside it. Received: "
            f"{dict(node)!r}."
        )
    return kinds[0] if kinds else None


def options(node: Any) -> Sequence[Any]:
    """The values that a setting can come to have, of numbers the ends.

    Args:
      node: a value or a choice; of a malformed one there are none.
    """
    kind = kind_of(node)
    if kind is None:
        return (node,)
    held = node[kind]
    if kind == "choice":
        return held if isinstance(held, list | tuple) else ()
    ends = held if isinstance(held, Mapping) else {}
    return [ends[end] for end in ("min", "max") if end in ends]
