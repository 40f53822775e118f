"""What is known of a user or an ad by its id alone."""

import numpy as np

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built, table
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.dropout import Dropout
from tfadrec.ops import lookup

#: Deviation of the numbers of an embedding, before training.
_NEAR = 0.01


@register
class IdEmbedding(CheckedLayer):
    """An embedding and a bias per id: rows [...] to [..., D] and [...].

    An id may have slopes as well, of what its logit leans on: they are zeros
    until they are assigned, and are not trained. With them are the penalties
    that they were found with, so that they can be found again of more rows.

    Biases start at zero and embeddings near it, so an id without training rows
    is the average id. At zero itself nothing would part one id from another
    where users and ads are known by their ids alone: a product of two zeros
    has no gradient. Both are dropped together for a share of the rows in
    training, so that a model does not lean on ids where it has other columns.
    Slopes are not: what was fitted beside them would move for rows without.

    Mask: none. Precision: float32 throughout.

    Args:
      num_rows: number of rows, the unknown id's row 0 included, >= 1.
      width: D, >= 1.
      num_slopes: S >= 0.
      dropout: share of rows dropped in training, in [0, 1).
      l2: >= 0; times half the squared norm of the embeddings and biases that a
        training step reads, it is added to the loss. Rows that a step does not
        read are left alone, so the update stays sparse.

    Call args:
      rows: int32 [...].
      training: whether to drop.

    Returns:
      Dict of `vector`, float32 [..., D], `bias`, float32 [...], and where there
      are some `slopes`, float32 [..., S].

    Raises:
      ValueError: where a size is below 1, or `l2` is negative.

    Example:
      >>> IdEmbedding(10, 4)(tf.constant([1, 2]))["vector"].shape
      TensorShape([2, 4])
    """

    wants = "int [...]"

    def __init__(
        self,
        num_rows: int,
        width: int,
        *,
        num_slopes: int = 0,
        dropout: float = 0.0,
        l2: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if num_rows < 1 or width < 1 or num_slopes < 0 or l2 < 0:
            raise ValueError(
                "`num_rows` and `width` must be >= 1, `num_slopes` and `l2` >= "
                f"0. Received: num_rows={num_rows}, width={width}, num_slopes="
                f"{num_slopes}, l2={l2}."
            )
        self.num_rows = num_rows
        self.width = width
        self.num_slopes = num_slopes
        self.dropout = dropout
        self.l2 = l2

    def build(self, input_shape=None) -> None:
        # Embedding and bias lie side by side: one gather, one sparse update.
        self.table = self.add_weight(
            "embedding_and_bias",
            shape=[self.num_rows, self.width + 1],
            initializer=_NearZero(),
            experimental_autocast=False,
            # Replicas that set rows, set the same ones.
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        if self.num_slopes:
            self.slopes = table(
                self,
                "slopes",
                None,
                [self.num_rows, self.num_slopes],
                "float32",
            )
            #: float32 [1 + S], of the bias and the slopes; 0 where unused.
            self.penalties = self.add_weight(
                "penalties",
                shape=[1 + self.num_slopes],
                dtype="float32",
                initializer="zeros",
                trainable=False,
                experimental_autocast=False,
            )
        self._dropout = built(
            Dropout(
                self.dropout,
                broadcast_last=True,
                name="dropout",
                dtype="float32",
            ),
            [None, self.width + 1],
        )
        super().build(input_shape)

    def call(self, rows, training=None):
        known = lookup.rows_of(self.table, rows)
        if training and self.l2:
            self.add_loss(self.l2 * tf.nn.l2_loss(known))
        known = self._dropout(known, training=training)
        parts = {"vector": known[..., :-1], "bias": known[..., -1]}
        if self.num_slopes:
            parts["slopes"] = lookup.rows_of(self.slopes, rows)
        return parts

    def start_biases(self, biases: np.ndarray) -> None:
        """Sets the biases of a built layer that has not been trained.

        Args:
          biases: float [num_rows].
        """
        vectors = tf.convert_to_tensor(self.table)[:, :-1]
        biases = tf.cast(biases, vectors.dtype)[:, None]
        self.table.assign(tf.concat([vectors, biases], axis=1))

    def get_config(self):
        return {
            **super().get_config(),
            "num_rows": self.num_rows,
            "width": self.width,
            "num_slopes": self.num_slopes,
            "dropout": self.dropout,
            "l2": self.l2,
        }


class _NearZero(keras.initializers.Initializer):
    """Small embeddings, biases of zero, and zeros for the unknown id.

    A part of a table, as parameter servers hold it, begins at its offset.
    """

    def __call__(self, shape, dtype=None, **kwargs):
        rows, width = kwargs.get("partition_shape", shape)
        offset = kwargs.get("partition_offset", (0,))[0]
        unknown = int(not offset)
        embeddings = tf.random.normal(
            [rows - unknown, width - 1], stddev=_NEAR, dtype=dtype
        )
        return tf.pad(embeddings, [[unknown, 0], [0, 1]])
