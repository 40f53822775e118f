"""A language model of ad copy: which token stands, or comes next, there."""

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built
from tfadrec.layers.text.token_head import TokenHead
from tfadrec.models.encoder_model import EncoderModel


@register
class LanguageModel(EncoderModel):
    """An encoder with a head over its vocabulary, [..., L] to [..., L, V].

    With the tokens x_1 ... x_L of a text and a set G of places to guess, the
    loss of a batch is the mean over all its guesses

        -log p(y_i | x),  i in G,

    where for masked language modelling x has hidden tokens and y the true ones
    (Devlin et al., 2019), and for a causal model y_i = x_(i+1), and p sees
    x_1 ... x_i alone (Radford et al., 2018, equation 1). Only guesses are
    projected onto the vocabulary. exp(loss) is the perplexity.

    Mask: padding is not read, and its logits mean nothing. Precision: that of
    the encoder; logits and loss are float32.

    Args:
      encoder: a `BertAdEncoder` or `GPT2AdEncoder`; its `tuning` says what is
        trained.
      **kwargs: of a Keras model, as `name`.

    Call args:
      inputs: those of the encoder.
      training: whether dropout acts.

    Returns:
      Logits, float32 [..., L, V].

    Raises:
      InputError: for an encoder of another type.

    Example:
      encoder = BertAdEncoder.from_pretrained(folder, tuning="full")
      model = LanguageModel(encoder)
      model.compile(optimizers.LazyAdam(1e-4))
      model.fit(batches)  # as data.text_batches makes them

    Reference:
      Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for
      Language Understanding", NAACL 2019, section 3.1. Radford et al.,
      "Improving language understanding by generative pre-training", 2018.
    """

    def __init__(self, encoder: keras.layers.Layer, **kwargs) -> None:
        super().__init__(encoder, **kwargs)
        self.head = TokenHead.of(encoder, name="head")

    def build(self, input_shape=None) -> None:
        with tf.name_scope("language_model/"):
            built(self.encoder, None)
            built(self.head, None)
        self.built = True

    def call(self, inputs, training=None):
        vectors = self.encoder.token_vectors(inputs, training=training)
        rows = tf.reshape(vectors, [-1, self.encoder.width])
        shape = [tf.shape(vectors)[:-1], [self.encoder.vocabulary_size]]
        return tf.reshape(self._logits(rows), tf.concat(shape, 0))

    def compute_loss(self, inputs, training: bool = False) -> tf.Tensor:
        """The mean over the guesses of a batch; updates the metric.

        Args:
          inputs: `(inputs, (token_ids, guessed))` of `data.text_batches`.
          training: whether dropout acts.

        Returns:
          float32 scalar, 0 where there is nothing to guess.
        """
        x, (token_ids, guessed) = inputs
        vectors = self.encoder.token_vectors(x, training=training)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.boolean_mask(token_ids, guessed),
            self._logits(tf.boolean_mask(vectors, guessed)),
        )
        self._loss_mean.update_state(losses)
        count = tf.cast(tf.size(losses), tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(losses), count)

    def _logits(self, vectors):
        table = self.head.table(self.encoder)
        return self.head({"vectors": vectors, "table": table})
