"""Personalised ad ranking from ad copy and behaviour, on TensorFlow and Keras.

The subpackages are read in the order of the data path: `data`, `layers`,
`losses`, `towers`, `models`, `training`, `tuning`, `evaluation`, `serving`.
Each is imported on first use, so that `import tfadrec` is cheap and does not
load TensorFlow. Where tf_keras is imported, now or later, the classes are
registered with it, so that a saved model loads.
"""

import importlib

from tfadrec.core.flavour import require_tf_keras as _require_tf_keras
from tfadrec.core.registration import (
    register_with_keras as _register_with_keras,
)

_require_tf_keras()

__version__ = "0.1.0"

_SUBPACKAGES = (
    "core",
    "data",
    "evaluation",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "serving",
    "towers",
    "training",
    "tuning",
)

__all__ = ["__version__", *_SUBPACKAGES]


def __getattr__(name: str):
    if name in _SUBPACKAGES:
        module = importlib.import_module(f"tfadrec.{name}")
        _register_with_keras(_register)
        return module
    raise AttributeError(f"module 'tfadrec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _register() -> None:
    """Imports every file with a class that a saved model can name."""
    for holder in (
        "layers",
        "losses",
        "metrics",
        "models",
        "optimizers",
        "towers",
    ):
        importlib.import_module(f"tfadrec.{holder}")


_register_with_keras(_register)
