"""What of a language model is trained, and what is added to it for that.

The ways to tune, as values: `adapter`, `lora`, `prefix` and `top_layers`, with
`Tuning` for all of them and `CLASSES` by their names in a config; `as_tuning`
and `tuning_config` read and write them.
"""

from tfadrec.layers.text.tuning.ways import (
    CLASSES,
    Adapter,
    LoRA,
    Prefix,
    TopLayers,
    Tuning,
    adapter,
    as_tuning,
    lora,
    prefix,
    top_layers,
    tuning_config,
)

__all__ = [
    "CLASSES",
    "Adapter",
    "LoRA",
    "Prefix",
    "TopLayers",
    "Tuning",
    "adapter",
    "as_tuning",
    "lora",
    "prefix",
    "top_layers",
    "tuning_config",
]
