"""An encoder that learns which texts belong together."""

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built
from tfadrec.losses import InBatchInfoNCE
from tfadrec.models.encoder_model import EncoderModel


@register
class ContrastiveModel(EncoderModel):
    """Trains an encoder on pairs of texts with `losses.InBatchInfoNCE`.

    A pair is a text twice, which dropout makes differ (SimCSE), or two texts
    that users took close in time. Dropout therefore acts in `evaluate` as it
    does in `fit`: without it, the vectors of an equal pair are equal.

    Mask and precision: those of the encoder; the loss is float32.

    Args:
      encoder: any text encoder; its `tuning` says what is trained.
      temperature: see the loss.
      symmetric: see the loss.
      **kwargs: of a Keras model, as `name`.

    Call args:
      inputs: those of the encoder, with leading dimensions [B, 2].
      training: whether dropout acts.

    Returns:
      The encoder's vectors, float [B, 2, D].

    Reference:
      Gao, Yao and Chen, "SimCSE: Simple Contrastive Learning of Sentence
      Embeddings", EMNLP 2021.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        *,
        temperature: float = 0.05,
        symmetric: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(encoder, **kwargs)
        self.temperature = temperature
        self.symmetric = symmetric
        self._loss = InBatchInfoNCE(
            temperature,
            symmetric=symmetric,
            reduction=keras.losses.Reduction.NONE,
        )

    def build(self, input_shape=None) -> None:
        with tf.name_scope("contrastive_model/"):
            built(self.encoder, None)
        self.built = True

    def call(self, inputs, training=None):
        return self.encoder(inputs, training=training)

    def compute_loss(self, inputs, training: bool = True) -> tf.Tensor:
        """The mean over the pairs of a batch; updates the metric.

        Args:
          inputs: `(inputs, texts)` of `data.text_batches`.
          training: whether dropout acts.

        Returns:
          float32 scalar.
        """
        x, texts = inputs
        losses = self._loss(texts, self.encoder(x, training=training))
        self._loss_mean.update_state(losses)
        return tf.reduce_mean(losses)

    def test_step(self, inputs):
        self.compute_loss(inputs, training=True)
        return {metric.name: metric.result() for metric in self.metrics}

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "symmetric": self.symmetric,
        }
