"""A model that is compiled again when it is read."""

import tensorflow_recommenders as tfrs

from tfadrec.core.door import keras

#: In what a model was compiled with: whether its optimizer has slots.
_HAS_SLOTS = "has_slots"


class CompiledModel(tfrs.models.Model):
    """A tfrs model that is read as it was saved: with or without slots.

    One that is saved with an optimizer that has not been built is read with
    such a one, which takes no memory.
    """

    def get_compile_config(self):
        """What `compile` was called with, and whether the optimizer has slots.

        None where the model is not compiled.
        """
        # Keras compiles a reloaded model only where both methods are here.
        config = super().get_compile_config()
        if config is None:
            return None
        # Before it is built, an optimizer has its number of steps alone.
        return {**config, _HAS_SLOTS: len(self.optimizer.variables) > 1}

    def compile_from_config(self, config):
        """Compiles a reloaded model as the saved one was."""
        config = dict(config)
        has_slots = config.pop(_HAS_SLOTS, True)
        self.compile(**keras.saving.deserialize_keras_object(config))
        if has_slots:
            self.optimizer.build(self.trainable_variables)
