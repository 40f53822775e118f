"""Ways to tune a language model, as plain values: `AdEncoder(tuning=...)`.

`frozen` and `full` are words; the others are values with settings, which a
config writes as `{"class": "top_layers", "k": 2}`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

from tfadrec.core.errors import InputError


def _require_count(name: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise InputError(
            f"`{name}` must be an integer >= 1. Received: {name}={value!r}. "
            "Choose another one."
        )


@dataclasses.dataclass(frozen=True)
class TopLayers:
    """Trains the last blocks, and the norm after them.

    Embeddings and lower blocks are frozen, so that their outputs can be
    computed once.

    Args:
      k: the number of blocks, >= 1 and at most those of the model.
    """

    k: int

    def __post_init__(self) -> None:
        _require_count("k", self.k)


Tuning: TypeAlias = str | TopLayers

WORDS = ("frozen", "full")
CLASSES: Mapping[str, type] = {"top_layers": TopLayers}
#: The values by their names in a config.
top_layers = TopLayers


def as_tuning(tuning: Any) -> Tuning:
    """The value of what a constructor or a config was given.

    Args:
      tuning: `frozen`, `full`, a value of this file, or a mapping with `class`
        and the value's settings.

    Raises:
      InputError: where it is none of these, or a setting is wrong.
    """
    if isinstance(tuning, tuple(CLASSES.values())) or tuning in WORDS:
        return tuning
    settings = dict(tuning) if isinstance(tuning, Mapping) else {}
    name = settings.pop("class", None)
    if name not in CLASSES:
        raise InputError(
            f"`tuning` must be {', '.join(WORDS)}, or have a class, one of "
            f"{', '.join(CLASSES)}. Received: {tuning!r}. Choose one of them."
        )
    try:
        return CLASSES[name](**settings)
    except TypeError as error:
        fields = (field.name for field in dataclasses.fields(CLASSES[name]))
        raise InputError(
            f"The tuning {name} takes {', '.join(fields)}. Received: "
            f"{settings!r}. Correct the settings."
        ) from error


def tuning_config(tuning: Tuning) -> str | dict[str, Any]:
    """What `as_tuning` reads back, and JSON holds."""
    if isinstance(tuning, str):
        return tuning
    names = {kind: name for name, kind in CLASSES.items()}
    return {"class": names[type(tuning)], **dataclasses.asdict(tuning)}
