"""Which settings of a language model are read, and what they may be."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

from tfadrec.core.errors import InputError

#: Settings of every type, with values of the type that they must have.
_OF_ALL: Mapping[str, Any] = {
    "is_decoder": False,
    "add_cross_attention": False,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
_TOKEN = "_token_id"
_RATE = "drop"
_MOST = 1 << 31


def settings_of(
    config: Mapping[str, Any],
    config_class: type,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """The settings of a config that its class computes with, checked.

    Configs hold much else, such as labels and what tasks a model was trained
    for, which is left out. A value must be of the type of the class' own
    default; sizes are at least 1, numbers finite and not negative, and rates of
    dropout below 1.

    Args:
      config: the content of a config.json.
      config_class: of transformers, whose constructor has the defaults.
      more: further settings and values of their types.

    Raises:
      InputError: with the first setting that is wrong.
    """
    signature = inspect.signature(config_class.__init__)  # type: ignore[misc]
    own = {
        name: each.default
        for name, each in signature.parameters.items()
        if each.default is not inspect.Parameter.empty
    }
    aliases = getattr(config_class, "attribute_map", {})
    typed = {**_OF_ALL, **own, **more}
    typed |= {a: typed[name] for a, name in aliases.items() if name in typed}
    found = {name: value for name, value in config.items() if name in typed}
    for name, value in found.items():
        rule = _rule_broken(name, value, typed[name])
        if rule:
            raise InputError(
                f"The backbone's {name} must be {rule}. Received: "
                f"{str(value)[:60]!r}. Fetch the model again, or use another "
                "one."
            )
    return found


def _rule_broken(name: str, value: Any, default: Any) -> str:
    """What a value must be and is not; "" where it is."""
    if value is None and (default is None or name.endswith(_TOKEN)):
        return ""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "a text"
    if isinstance(default, int):
        least = 0 if name.endswith(_TOKEN) else 1
        is_right = type(value) is int and least <= value < _MOST
        return "" if is_right else f"a whole number >= {least}"
    if default is None and isinstance(value, str | bool):
        return ""  # of a head, which is not made
    below = 1 if _RATE in name else math.inf
    is_right = type(value) in (int, float) and 0 <= value < below
    return "" if is_right else f"a number in [0, {below})"
