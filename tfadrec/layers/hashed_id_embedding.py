"""What is known of ids without bound, which share rows by their hash."""

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Amount, Ids, Rate
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.id_embedding import IdEmbedding
from tfadrec.ops import hashing


@register
class HashedIdEmbedding(CheckedLayer):
    """`IdEmbedding` of ids by their hash: int64 [...] to [..., D] and [...].

    The row of an id is 1 + h(id) mod `buckets`; that of nobody is 0. Ids of
    one bucket share what is known of them, and an id that was never met has
    what is known of those that were.

    Mask: none. Precision: float32 throughout.

    Args:
      buckets: number of rows that ids share, >= 1; the table is [buckets + 1,
        D + 1].
      width: D, >= 1.
      dropout: see `IdEmbedding`.
      l2: likewise.

    Call args:
      ids: int [...], of 64 bits, 0 for nobody.
      training: whether to drop.

    Returns:
      Dict of `vector`, float32 [..., D], and `bias`, float32 [...].

    Raises:
      ValueError: where a size is below 1, or as `IdEmbedding`.

    Example:
      >>> layer = HashedIdEmbedding(8, 4)
      >>> layer(tf.constant([2**40, 0], tf.int64))["vector"].shape
      TensorShape([2, 4])

    Reference:
      Weinberger et al., "Feature hashing for large scale multitask learning",
      ICML 2009, arXiv:0902.2206.
    """

    wants = "int [...]"

    def __init__(
        self,
        buckets: Ids,
        width: int,
        *,
        dropout: Rate = 0.0,
        l2: Amount = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if buckets < 1:
            raise ValueError(
                f"`buckets` must be >= 1. Received: buckets={buckets}."
            )
        self.buckets = buckets
        self._known = IdEmbedding(
            buckets + 1,
            width,
            dropout=dropout,
            l2=l2,
            name="id",
            dtype="float32",
        )

    def build(self, input_shape=None) -> None:
        built(self._known, input_shape)
        super().build(input_shape)

    def call(self, ids, training=None):
        ids = tf.cast(ids, tf.int64)
        rows = 1 + tf.cast(hashing.bucket_of(ids, self.buckets), tf.int32)
        return self._known(tf.where(ids == 0, 0, rows), training=training)

    def get_config(self):
        known = self._known.get_config()
        return {
            **super().get_config(),
            "buckets": self.buckets,
            **{k: known[k] for k in ("width", "dropout", "l2")},
        }
