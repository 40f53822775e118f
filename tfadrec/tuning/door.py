"""The one place that imports keras_tuner.

keras_tuner 1.4 looks at the module `keras` once, when it is first imported, and
from then on refuses models of any other Keras. Here it is shown tf_keras.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from tfadrec.core.door import keras


def _import_keras_tuner() -> Any:
    """keras_tuner, which takes models of tf_keras.

    Raises:
      ImportError: where it was already imported for Keras 3.
    """
    if "keras_tuner" not in sys.modules:
        others = sys.modules.get("keras")
        sys.modules["keras"] = keras
        try:
            importlib.import_module("keras_tuner")
        finally:
            if others is None:
                del sys.modules["keras"]
            else:
                sys.modules["keras"] = others
    found = sys.modules["keras_tuner"]
    backend = importlib.import_module("keras_tuner.src.backend.keras")
    if backend.Model is not keras.Model:
        raise ImportError(
            "tfadrec needs keras_tuner for Keras 2 (tf_keras), and it was "
            "already imported for Keras 3. Received: models of "
            f"{backend.Model.__module__.partition('.')[0]!r}. Import "
            "`tfadrec.tuning` before keras_tuner."
        )
    return found


if TYPE_CHECKING:
    import keras_tuner
else:
    keras_tuner = _import_keras_tuner()
