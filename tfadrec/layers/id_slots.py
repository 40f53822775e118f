"""Which row of a table of fixed size an id has, of ids without bound."""

from typing import Literal, get_args

from tfadrec.core.door import register, tf
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import hashing

Eviction = Literal["least_frequent", "oldest"]
_LAST = tf.int64.max


@register
class IdSlots(CheckedLayer):
    """Rows for ids as they come: int64 [...] to int32 [...].

    The table is that of a set-associative cache. An id belongs to one set of
    `ways` slots, by its hash, and has one of these or none; so a step costs as
    much as it has distinct ids, however large the table is. Each training call
    is a step. In it, in this order,

    1. an id that has a slot adds to the slot's count as often as it is in the
       batch;
    2. of an id that has none, in the order in which such ids are first met, the
       slot is an empty one of its set, or that of the id which has to go: by
       `eviction` the one with the lowest count or the one that was not met for
       the longest time, the first of equals. An id of this batch never goes;
       where all of a set are of this batch, the id gets no slot. Where several
       ids come to a full set, the n-th one is to have the slot of the n-th to
       go; by count, all but the first have it only if they are in the batch
       as often as that one has been met. So many ids of one batch do not push
       out those that come often.

    An id is admitted from the count `admission` on; until then its row is 0,
    and its slot is where it is counted.

    Mask: none. Precision: integers.

    Args:
      capacity: number of slots, a multiple of `ways`, >= 1. The table of
        embeddings has `capacity + 1` rows.
      ways: slots of a set, >= 1. With more of them less is evicted before the
        table is full.
      admission: the count from which an id has a row of its own, >= 1.
      eviction: which id gives way.

    Call args:
      ids: int64 [...]; 0 is nobody.
      training: whether ids are counted, get slots and lose them.

    Returns:
      int32 [...] in [0, capacity]; 0 for an id that has no row.

    Raises:
      ValueError: where a size is below 1 or does not fit.

    Example:
      >>> slots = IdSlots(8, admission=2)
      >>> [slots(tf.constant([7], tf.int64), training=True)[0].numpy() > 0
      ...  for _ in range(2)]
      [False, True]

    Reference:
      Admission by a count and eviction, as in tables of recommenders: Liu et
      al., "Monolith: Real time recommendation system with collisionless
      embedding table", arXiv:2209.07663, section 2.1. Set-associative: Smith,
      "Cache memories", ACM Computing Surveys 14 (1982).
    """

    wants = "int [...]"

    def __init__(
        self,
        capacity: int,
        *,
        ways: int = 8,
        admission: int = 1,
        eviction: Eviction = "least_frequent",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if min(capacity, ways, admission) < 1 or capacity % ways:
            raise ValueError(
                "`capacity`, `ways` and `admission` must be >= 1, and "
                "`capacity` a multiple of `ways`. Received: "
                f"capacity={capacity}, ways={ways}, admission={admission}."
            )
        if eviction not in get_args(Eviction):
            raise ValueError(
                f"`eviction` must be one of {', '.join(get_args(Eviction))}. "
                f"Received: eviction={eviction!r}."
            )
        self.capacity = capacity
        self.ways = ways
        self.admission = admission
        self.eviction = eviction
        #: The rows that changed hands in the last training call, int32 [n].
        self.taken: tf.Tensor | None = None

    def build(self, input_shape=None) -> None:
        # Slot w of set s is at s * ways + w.
        self._ids, self._counts, self._met = (
            self._integers(name, [self.capacity])
            for name in ("ids", "counts", "met")
        )
        self._step = self._integers("step", [])
        super().build(input_shape)

    def call(self, inputs, training=None):
        ids = tf.cast(inputs, tf.int64)
        if training:
            self._meet(tf.reshape(ids, [-1]))
        slots, is_there = self._look_up(ids)
        is_admitted = is_there & (
            tf.gather(self._counts, slots) >= self.admission
        )
        return tf.where(is_admitted, 1 + tf.cast(slots, tf.int32), 0)

    def _look_up(self, ids):
        """The slots of ids, int64, and whether they have one, as `ids`."""
        places = self._slots_of(self._sets_of(ids))
        is_there = tf.gather(self._ids, places) == ids[..., None]
        is_there &= ids[..., None] != 0
        way = tf.argmax(is_there, axis=-1)
        slots = tf.gather(places, way, batch_dims=ids.shape.rank)
        return slots, tf.reduce_any(is_there, axis=-1)

    def _sets_of(self, ids):
        return hashing.bucket_of(ids, self.capacity // self.ways)

    def _slots_of(self, sets):
        """The slots of sets, int64 [..., ways]."""
        return sets[..., None] * self.ways + tf.range(self.ways, dtype=tf.int64)

    def _meet(self, ids):
        """Counts ids, and gives slots to those that have none."""
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            # Each replica does the same with the ids of all.
            context = tf.distribute.get_replica_context()
            ids = context.all_gather(ids, axis=0)
        now = self._step.assign_add(1, read_value=True)
        ids, _, times = tf.unique_with_counts(ids, tf.int64)
        slots, is_there = self._look_up(ids)
        known = tf.boolean_mask(slots, is_there)
        before = tf.gather(self._counts, known)
        self._write(
            known,
            counts=before + tf.boolean_mask(times, is_there),
            met=tf.fill(tf.shape(known), now),
        )
        new = ~is_there & (ids != 0)
        self._place(tf.boolean_mask(ids, new), tf.boolean_mask(times, new), now)

    def _place(self, ids, times, now):
        """Gives slots to ids that have none, as long as there are any."""
        sets = self._sets_of(ids)
        places = self._slots_of(sets)  # [n, ways]
        is_empty = tf.gather(self._ids, places) == 0
        met = tf.gather(self._met, places)
        rank = met
        if self.eviction == "least_frequent":
            rank = tf.gather(self._counts, places)
        rank = tf.where(met == now, _LAST, rank)
        rank = tf.where(is_empty, tf.constant(-1, tf.int64), rank)
        order = tf.argsort(rank, axis=1, stable=True)  # the first to go first
        turn = _turns(sets)
        way = tf.gather(order, tf.minimum(turn, self.ways - 1), batch_dims=1)
        count = tf.gather(rank, way, batch_dims=1)
        gets = (turn < self.ways) & (count < _LAST)
        if self.eviction == "least_frequent":
            used = turn - tf.reduce_sum(tf.cast(is_empty, tf.int32), axis=1)
            gets &= (used < 1) | (count <= times)
        slots = tf.boolean_mask(tf.gather(places, way, batch_dims=1), gets)
        self._write(
            slots,
            ids=tf.boolean_mask(ids, gets),
            counts=tf.boolean_mask(times, gets),
            met=tf.fill(tf.shape(slots), now),
        )
        self.taken = 1 + tf.cast(slots, tf.int32)

    def _write(self, slots, **columns):
        for name, values in columns.items():
            weight = getattr(self, f"_{name}")
            weight.scatter_update(tf.IndexedSlices(values, slots))

    def _integers(self, name, shape):
        return self.add_weight(
            name,
            shape,
            tf.int64,
            initializer="zeros",
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "capacity": self.capacity,
            "ways": self.ways,
            "admission": self.admission,
            "eviction": self.eviction,
        }


def _turns(sets: tf.Tensor) -> tf.Tensor:
    """How many before an entry are of the same set, int32 [n]."""
    order = tf.argsort(sets, stable=True)
    ordered = tf.gather(sets, order)
    place = tf.range(tf.size(sets))
    _, group, sizes = tf.unique_with_counts(ordered)
    starts = tf.gather(tf.cumsum(sizes, exclusive=True), group)
    return tf.scatter_nd(order[:, None], place - starts, tf.shape(sets))
