"""Which classes a section of the settings can name, and their arguments."""

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from tfadrec import models, optimizers, towers
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.data.split import split_by_time
from tfadrec.layers import (
    TextMatching,
    behavior,
    interaction,
    matching,
    multitask,
)
from tfadrec.layers.text import tuning
from tfadrec.training.fit import fit

_PACKAGES: dict[str, Any] = {
    "encoder": behavior,
    "matching": matching,
    "interaction": interaction,
    "multitask": multitask,
    "optimizer": optimizers,
}
_MADE: dict[str, Any] = {
    "ad_tower": towers.AdTower,
    "user_tower": towers.UserTower,
    "text_matching": TextMatching,
    "ranker": models.AdRanker,
    "fit": fit,
    "data": split_by_time,
}
#: What is not a setting, since the dataset or another section tells it.
_GIVEN = {
    "ad_tower": {"catalogue", "passed", "text"},
    "user_tower": {
        "encoder",
        "event_features",
        "features",
        "num_event_types",
        "num_users",
    },
    "text_matching": {"num_event_types"},
    "ranker": {
        "ad_tower",
        "candidate",
        "context",
        "text_matching",
        "user_tower",
        *_PACKAGES,
    },
    "multitask": {"num_tasks"},
    "fit": {"model", "train", "valid", "out", "until", "progress"},
    "data": {"dataset"},
}
#: Settings that are no argument of the class.
_BESIDE: dict[str, dict[str, Any]] = {
    "user_tower": {"use_id": True},
    "data": {"history_length": None},
}
#: The section `text`; its model has to be named.
TEXT = {
    "model": None,
    "pooling": "mean",
    "max_tokens": 64,
    "clean": (),
    "tuning": "frozen",
    "dropout": None,
    "dtype": None,
}


def classes_of(section: str) -> dict[str, type]:
    """The classes that a section can name; none where it has no choice.

    Args:
      section: its name; of a name within a section, as `optimizer.default`,
        the section's, but for `text.tuning`, which has its own.
    """
    if section == "text.tuning":
        return dict(tuning.CLASSES)
    section = section.partition(".")[0]
    if section not in _PACKAGES:
        return {}
    package = _PACKAGES[section]
    public = {name: getattr(package, name) for name in package.__all__}
    classes = {k: c for k, c in public.items() if isinstance(c, type)}
    if section == "interaction":
        return {k: c for k, c in classes.items() if hasattr(c, "takes")}
    if section == "optimizer":
        for name in ("Adagrad", "Adam"):
            classes[name] = getattr(keras.optimizers, name)
    return classes


def settings_of(section: str, chosen: type | None = None) -> dict[str, Any]:
    """The settings that a section takes, with their defaults.

    Args:
      section: its name.
      chosen: its class, where it names one.

    Returns:
      Name -> default, None where there is none.
    """
    if section == "text":
        return dict(TEXT)
    made = inspect.signature(chosen or _MADE[section])
    return {
        **_BESIDE.get(section, {}),
        **{
            name: None if p.default is p.empty else p.default
            for name, p in made.parameters.items()
            if p.kind != p.VAR_KEYWORD and name not in _GIVEN.get(section, ())
        },
    }


def refuse_unknown(
    what: str, accepted: Collection[str], settings: Mapping[str, Any]
) -> None:
    """Refuses settings that are not accepted, and lists those that are.

    Raises:
      InputError: where there is one.
    """
    unknown = set(settings) - set(accepted)
    if unknown:
        raise InputError(
            f"{what} takes {', '.join(accepted) or 'no settings'}. Received: "
            f"{', '.join(sorted(map(str, unknown)))}."
        )
