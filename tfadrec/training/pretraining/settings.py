"""The settings of pretraining, as one value."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tfadrec.layers.text.pooling import Pooling

#: Pairs -> the default temperature. Clicks hardly tell their partners apart: at
#: the one for equal texts the best that a model can do is to make all vectors
#: alike.
TEMPERATURES = {"dropout": 0.05, "clicks": 0.3}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What `pretrain` was called with, without the folders.

    The docstring of `pretrain` says what each of them means. A run's record
    holds them in this order.
    """

    objective: str
    model: str | os.PathLike[str] | Mapping[str, Any]
    held_out: float
    masked_share: float
    pairs: str
    window_seconds: int
    events: Sequence[str] | None
    valid: float
    test: float
    temperature: float | None
    symmetric: bool
    pooling: Pooling
    max_tokens: int
    dropout: float | None
    precision: str
    learning_rate: float
    warm_up: float
    weight_decay: float
    batch_size: int
    epochs: int
    steps_per_epoch: int | None
    patience: int
    seed: int

    @property
    def is_contrastive(self) -> bool:
        """Whether pairs are learned from, and not single texts."""
        return self.objective == "contrastive"

    def with_temperature(self) -> "Settings":
        """These settings, with a default that depends on the pairs."""
        if self.temperature is not None:
            return self
        return dataclasses.replace(self, temperature=TEMPERATURES[self.pairs])

    def to_yaml(self) -> str:
        """The settings as a run's record holds them."""
        plain = {name: getattr(self, name) for name in pretraining_settings()}
        plain["model"] = (
            dict(self.model)
            if isinstance(self.model, Mapping)
            else os.fspath(self.model)
        )
        if self.events is not None:
            plain["events"] = list(self.events)
        return yaml.safe_dump(plain, sort_keys=False)


def pretraining_settings() -> list[str]:
    """The settings of `pretrain`, as they stand in a config."""
    return [field.name for field in dataclasses.fields(Settings)]
