"""The one place that imports tf_keras.

from tfadrec.core.door import keras, register, tf
"""

import tensorflow as tf
import tf_keras as keras

#: Decorates every public layer, model and optimiser, so that what was saved
#: reloads without `custom_objects`.
register = keras.saving.register_keras_serializable("tfadrec")

__all__ = ["keras", "register", "tf"]
