"""Whether a value read from a file is what its class says."""

import dataclasses
import functools
import types
import typing
from typing import Any


def check_types(value: Any) -> None:
    """Refuses fields that are not of their types.

    Args:
      value: of a dataclass whose fields are texts, numbers, Boolean values,
        literals, tuples of these, None, or dataclasses.

    Raises:
      TypeError: with the name of the first field that is wrong.
    """
    for name, hint in _hints(value.__class__).items():
        if not _fits(getattr(value, name), hint):
            raise TypeError(f"{name} is no {getattr(hint, '__name__', hint)}")


#: Class -> its fields' types.
_hints = functools.cache(typing.get_type_hints)


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return isinstance(value, str) and value in inner
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if inner[-1] is Ellipsis:
            return all(_fits(each, inner[0]) for each in value)
        return len(value) == len(inner) and all(map(_fits, value, inner))
    if dataclasses.is_dataclass(hint):
        return isinstance(value, typing.cast(type, hint))
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint
