"""The check that TensorFlow's Keras is tf_keras, made before TensorFlow loads.

tensorflow-recommenders and the TF models of transformers work with Keras 2
only, which is kept alive as `tf_keras`. TensorFlow chooses the flavour by an
environment variable, when `tf.keras` is first touched.
"""

import os
import sys

_VARIABLE = "TF_USE_LEGACY_KERAS"
_MEND = (
    "Set TF_USE_LEGACY_KERAS=1 in the environment, or `import tfadrec` before "
    "anything that imports TensorFlow."
)


def require_tf_keras() -> None:
    """Chooses tf_keras, or says how to.

    Raises:
      ImportError: where TensorFlow was already loaded with Keras 3, or the
        environment asks for Keras 3.
    """
    wanted = os.environ.get(_VARIABLE)
    if wanted is not None and wanted.lower() not in ("1", "true"):
        raise ImportError(
            "tfadrec needs Keras 2 (tf_keras), and the environment asks for "
            f"Keras 3. Received: {_VARIABLE}={wanted}. {_MEND}"
        )
    os.environ[_VARIABLE] = "1"
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not hasattr(tensorflow, "keras"):
        return
    flavour = tensorflow.keras.Model.__module__.partition(".")[0]
    if flavour != "tf_keras":
        raise ImportError(
            "tfadrec needs Keras 2 (tf_keras), and TensorFlow was already "
            f"loaded with Keras 3. Received: tf.keras from {flavour!r}. {_MEND}"
        )
