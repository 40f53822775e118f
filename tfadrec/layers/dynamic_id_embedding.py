"""What is known of ids without bound, in a table of fixed size."""

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Amount, Ids, Parts, Rate, Steps
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.id_embedding import IdEmbedding
from tfadrec.layers.id_slots import Eviction, IdSlots


@register
class DynamicIdEmbedding(CheckedLayer):
    """`IdEmbedding` of ids as they come: int64 [...] to [..., D] and [...].

    `IdSlots` tells the row of an id. A row that changes hands starts at zero
    again, and so do the optimiser's slots of it, in the step in which it does
    (`training_step` of the models here does that; see `taken`). All of it is in
    weights: a checkpoint resumes exactly, and a SavedModel holds the table.

    Mask: none. Precision: float32 throughout.

    Args:
      capacity: see `IdSlots`; of the table of [capacity + 1, D + 1] floats.
      width: D, >= 1.
      ways: see `IdSlots`.
      admission: likewise.
      eviction: likewise.
      dropout: see `IdEmbedding`.
      l2: likewise.

    Call args:
      ids: int [...], of 64 bits, 0 for nobody, such as
        `tf.strings.to_hash_bucket_fast(names, 2**62)`.
      training: whether ids are counted, and to drop.

    Returns:
      Dict of `vector`, float32 [..., D], and `bias`, float32 [...].

    Raises:
      ValueError: as `IdSlots` and `IdEmbedding`.

    Example:
      >>> layer = DynamicIdEmbedding(8, 4)
      >>> layer(tf.constant([2**40, 0], tf.int64))["vector"].shape
      TensorShape([2, 4])
    """

    wants = "int [...]"

    def __init__(
        self,
        capacity: Ids,
        width: int,
        *,
        ways: Parts = 8,
        admission: Steps = 1,
        eviction: Eviction = "least_frequent",
        dropout: Rate = 0.0,
        l2: Amount = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self._slots = IdSlots(
            capacity,
            ways=ways,
            admission=admission,
            eviction=eviction,
            name="slots",
            dtype=self.dtype_policy,
        )
        self._known = IdEmbedding(
            capacity + 1,
            width,
            dropout=dropout,
            l2=l2,
            name="id",
            dtype="float32",
        )

    @property
    def table(self) -> tf.Variable:
        """Embeddings and biases, float32 [capacity + 1, D + 1]."""
        return self._known.table

    @property
    def taken(self) -> tf.Tensor:
        """Rows that changed hands in the last training call, int32 [n]."""
        return self._slots.taken

    def build(self, input_shape=None) -> None:
        built(self._slots, input_shape)
        built(self._known, input_shape)
        super().build(input_shape)

    def call(self, ids, training=None):
        rows = self._slots(ids, training=training)
        if training:
            taken = self._slots.taken
            shape = [tf.size(taken), self.table.shape[-1]]
            self.table.scatter_update(tf.IndexedSlices(tf.zeros(shape), taken))
        return self._known(rows, training=training)

    def get_config(self):
        slots, known = self._slots.get_config(), self._known.get_config()
        return {
            **super().get_config(),
            **{k: slots[k] for k in ("capacity", "ways", "admission")},
            "eviction": slots["eviction"],
            **{k: known[k] for k in ("width", "dropout", "l2")},
        }
