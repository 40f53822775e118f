"""What the models around a text encoder share."""

from tfadrec.core.door import keras
from tfadrec.layers.place import require_layers
from tfadrec.models.training_step import training_step
from tfadrec.towers.places import TEXT_ENCODER


class EncoderModel(keras.Model):
    """A model that trains an encoder by its own `compute_loss`.

    A subclass builds without inputs, and its `compute_loss` takes a batch of
    `data.text_batches` and `training`, and updates `_loss_mean`.

    Args:
      encoder: any text encoder; its `tuning` says what is trained.
      **kwargs: of a Keras model, as `name`.

    Raises:
      ValueError: where the encoder is none of texts.
    """

    def __init__(self, encoder: keras.layers.Layer, **kwargs) -> None:
        super().__init__(**kwargs)
        require_layers(encoder=(encoder, TEXT_ENCODER))
        self.encoder = encoder
        self._loss_mean = keras.metrics.Mean("loss")

    def train_step(self, inputs):
        """One step of gradient descent on one batch."""
        return training_step(self, inputs)

    def test_step(self, inputs):
        """The loss of one batch."""
        self.compute_loss(inputs, training=False)
        return {metric.name: metric.result() for metric in self.metrics}

    def get_build_config(self):
        return {"input_shape": None}

    def build_from_config(self, config):
        self.build(config["input_shape"])

    def get_config(self):
        return {
            "name": self.name,
            "encoder": keras.saving.serialize_keras_object(self.encoder),
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
