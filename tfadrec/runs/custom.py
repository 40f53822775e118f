"""Classes of other modules, which settings name as `module:Class`."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from tfadrec.core.errors import InputError, NotAllowedError
from tfadrec.runs.signature import Signature

_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")


def class_named(
    section: str, name: str, allow_import: Collection[str]
) -> Signature:
    """A class of another module, which is read and not imported.

    Args:
      section: where it is named.
      name: `module:Class`.
      allow_import: modules that may be imported.

    Raises:
      InputError: where the name is none, the module is not among those that are
        allowed, or the class is not there or does not fit the section.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(
            f"`{section}` names a class of another module as module:Class. "
            f"Received: class={name!r}."
        )
    module, _, kept = name.partition(":")
    if module not in allow_import:
        raise NotAllowedError(
            f"`{section}` names a class of another module, whose code runs "
            f"when it is imported. Received: class={name!r}. If you trust it, "
            f"pass --allow-import {module}, in Python allow_import="
            f"[{module!r}]."
        )
    try:
        signature = Signature.of(module, kept)
    except LookupError as error:
        raise InputError(
            f"`{section}` must name a class that is there. Received: "
            f"class={name!r}: {error}. Correct it, or add the folder of the "
            "module to PYTHONPATH."
        ) from error
    if not signature.is_class:
        raise InputError(
            f"`{section}` must name a class. Received: class={name!r}, which "
            "is a function. Name another one."
        )
    if section == "interaction" and "takes" not in signature.attributes:
        raise InputError(
            "`interaction` needs a class with the attribute `takes`, "
            f'"features" or "fields". Received: {name!r} without. Add it '
            "to the class."
        )
    return signature


def modules_named(value: Any) -> list[str]:
    """The other modules whose classes settings name, in their order."""
    found: list[str] = []
    if isinstance(value, Mapping):
        named = value.get("class")
        if isinstance(named, str) and _NAME.fullmatch(named):
            found.append(named.partition(":")[0])
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            found += modules_named(each)
    return list(dict.fromkeys(found))
