"""Pairs that belong together against the other pairs of the batch."""

from tfadrec.core.door import keras, register, tf


@register
class InBatchInfoNCE(keras.losses.Loss):
    """InfoNCE with the rest of the batch as negatives, [B, 2, D] to [B].

    With the cosine s(a, b) of two vectors and the temperature t, pair i of the
    vectors x_i and y_i costs

        -log(exp(s(x_i, y_i) / t) / sum_j exp(s(x_i, y_j) / t)),

    j over the batch, equation 1 of Gao et al. (2021). `symmetric` takes the
    mean of this and of the same with x and y exchanged, as CLIP does. It
    departs from the paper where a y_j is the same thing as x_i or y_i and
    stands in another row: that is no negative, and is left out of the sum.

    Precision: float32.

    Args:
      temperature: t, > 0.
      symmetric: whether y is compared with every x as well.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: integer [B, 2], what each vector is of: equal numbers are the same
        thing.
      y_pred: float [B, 2, D], the vectors of each pair.

    Returns:
      float32 [B] before the reduction.

    Raises:
      ValueError: where the temperature is not > 0.

    Example:
      >>> pairs = tf.constant([[[1.0, 0], [1, 0]], [[0, 1], [0, 1]]])
      >>> round(float(InBatchInfoNCE(1.0)([[0, 1], [2, 3]], pairs)), 4)
      0.3133

    Reference:
      Gao, Yao and Chen, "SimCSE: Simple Contrastive Learning of Sentence
      Embeddings", EMNLP 2021, arXiv:2104.08821. Radford et al., "Learning
      Transferable Visual Models From Natural Language Supervision", ICML 2021,
      arXiv:2103.00020, for the symmetric form.
    """

    def __init__(
        self,
        temperature: float = 0.05,
        *,
        symmetric: bool = False,
        name: str = "in_batch_info_nce",
        **kwargs,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not temperature > 0:
            raise ValueError(
                "`temperature` must be > 0. Received: "
                f"temperature={temperature!r}."
            )
        self.temperature = temperature
        self.symmetric = symmetric

    def call(self, y_true, y_pred):
        """The loss of each pair; see the class."""
        things = tf.convert_to_tensor(y_true)
        vectors = tf.math.l2_normalize(tf.cast(y_pred, tf.float32), -1)
        x, y = vectors[:, 0], vectors[:, 1]
        logits = tf.matmul(x, y, transpose_b=True) / self.temperature
        losses = _cross_entropy(logits, things, things[:, 1])
        if self.symmetric:
            other = _cross_entropy(tf.transpose(logits), things, things[:, 0])
            losses = (losses + other) / 2
        return losses

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "symmetric": self.symmetric,
        }


def _cross_entropy(logits, things, candidates):
    """Of logits [B, B] whose diagonal is right; `candidates` [B] the columns'.

    A column that is the same thing as one of a row's pair is no negative of it.
    """
    same = tf.reduce_any(
        things[:, :, tf.newaxis] == candidates[tf.newaxis, tf.newaxis], 1
    )
    same = tf.linalg.set_diag(same, tf.zeros_like(same[:, 0]))
    logits = tf.where(same, logits.dtype.min, logits)
    labels = tf.range(tf.shape(logits)[0])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
