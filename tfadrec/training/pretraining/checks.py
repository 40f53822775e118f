"""What can be told of the settings before anything is read."""

import math
from collections.abc import Mapping
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.ranges import MOST, refuse_huge
from tfadrec.layers.text import model_folder
from tfadrec.runs.check import refuse_unknown
from tfadrec.training.pretraining.settings import TEMPERATURES, Settings

#: Objective -> the model types that it is for.
_OBJECTIVES = {
    "masked": ("bert",),
    "causal": ("gpt2",),
    "contrastive": ("bert", "gpt2"),
}
#: Dtype policies; weights in half precision would not learn.
_PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
#: Sizes of a new model, and how large they may be.
_NEW_SIZES = {
    "vocabulary_size": 1_000_000,
    "width": 65_536,
    "num_layers": 256,
    "num_heads": 256,
    "max_tokens": 65_536,
}
#: Settings of a new model.
_NEW = ("type", *_NEW_SIZES)


def check_settings(settings: Settings) -> None:
    """Refuses settings that are wrong, whatever the dataset and the model.

    Raises:
      InputError: where a setting is out of range, the settings do not go
        together, or a new model cannot be made as it is described.
    """
    for name, value in vars(settings).items():
        refuse_huge(name, value)
    _check_choices(settings)
    _check_counts(settings)
    _check_rates(settings)
    _check_pairs(settings)
    if isinstance(settings.model, Mapping):
        _check_new_model(settings, settings.model)


def check_model_type(objective: str, model_type: Any) -> None:
    """Refuses a model that cannot learn what it shall.

    Raises:
      InputError: where the objective is not for models of the type.
    """
    if model_type not in _OBJECTIVES[objective]:
        raise InputError(
            f"the objective {objective} is for a model of type "
            f"{' or '.join(_OBJECTIVES[objective])}. Received: "
            f"{model_type!r}. Choose another objective or model."
        )


def _check_choices(settings: Settings) -> None:
    for name, choices in (
        ("objective", tuple(_OBJECTIVES)),
        ("pairs", tuple(TEMPERATURES)),
        ("precision", _PRECISIONS),
    ):
        value = getattr(settings, name)
        if value not in choices:
            raise InputError(
                f"`{name}` must be one of {', '.join(choices)}. Received: "
                f"{value!r}."
            )


def _check_counts(settings: Settings) -> None:
    for name, least, most in (
        ("batch_size", 2 if settings.is_contrastive else 1, 2**20),
        ("epochs", 1, MOST),
        ("steps_per_epoch", 1, MOST),
        ("patience", 1, MOST),
        ("max_tokens", 1, MOST),
        ("seed", 0, MOST),
    ):
        value = getattr(settings, name)
        if name == "steps_per_epoch" and value is None:
            continue
        _check_integer(name, value, least, most)


def _check_integer(name: str, value: Any, least: int, most: int) -> None:
    if type(value) is not int or value < least:
        raise InputError(
            f"`{name}` must be an integer >= {least}. Received: "
            f"{name}={value!r}."
        )
    if value > most:
        raise InputError(
            f"`{name}` must be an integer <= {most}. Received: {name}={value}."
        )


def _check_rates(settings: Settings) -> None:
    for name, low, high in (
        ("learning_rate", 0.0, math.inf),
        ("temperature", 0.0, math.inf),
        ("masked_share", 0.0, 1.0),
        ("warm_up", -math.ulp(0.0), 1.0),
        ("weight_decay", -math.ulp(0.0), math.inf),
    ):
        value = getattr(settings, name)
        if name == "temperature" and value is None:
            continue
        if not isinstance(value, int | float) or not low < value < high:
            bound = ">= 0" if low else "> 0"
            raise InputError(
                f"`{name}` must be a number {bound}"
                f"{'' if high == math.inf else ' and < 1'}. Received: "
                f"{name}={value!r}."
            )


def _check_pairs(settings: Settings) -> None:
    equal = settings.is_contrastive and settings.pairs == "dropout"
    if equal and settings.dropout == 0:
        raise InputError(
            "pairs of a text with itself need dropout to differ. Received: "
            "dropout=0. Choose a rate > 0, or `pairs: clicks`."
        )


def _check_new_model(settings: Settings, model: Mapping[str, Any]) -> None:
    """What can be told of a new model before it is made."""
    sizes = dict(model)
    refuse_unknown("a new `model`", _NEW, sizes)
    for name, most in _NEW_SIZES.items():
        if name in sizes:
            _check_integer(f"model.{name}", sizes[name], 1, most)
    kind = sizes.pop("type", None)
    check_model_type(settings.objective, kind)
    sizes["vocabulary_size"] = 1
    encoder = model_folder.ENCODERS[kind](
        model_folder.new_config(kind, **sizes),
        pooling=settings.pooling,
        dropout=settings.dropout,
    )
    if settings.max_tokens > encoder.max_tokens:
        raise InputError(
            "texts must be cut at the positions of a new model. Received: "
            f"max_tokens={settings.max_tokens} for {encoder.max_tokens} "
            "positions. Lower it, or give the model more `max_tokens`."
        )
