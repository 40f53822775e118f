"""A seed for each call, from a weight that is saved with the model."""

from tfadrec.core.door import keras, tf

#: Between the seeds of replicas, beyond those that are drawn.
_APART = 2**40


def counted_seed(
    layer: keras.layers.Layer, seed: int | None = None
) -> tf.Variable:
    """Gives a layer a seed and a count of its calls, inside its `build`.

    Args:
      layer: whose weight it is, int64 [2], not trained.
      seed: None draws one with the weights, as `keras.utils.set_random_seed`
        says.
    """

    def first(shape, dtype=None):
        if seed is not None:
            return tf.constant([seed, 0], dtype)
        return tf.random.uniform(shape, maxval=_APART, dtype=dtype)

    return layer.add_weight(
        "seed_and_step",
        shape=[2],
        dtype=tf.int64,
        initializer=first,
        trainable=False,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def next_seed(state: tf.Variable) -> tf.Tensor:
    """A seed for a stateless op, int64 [2], another one in each call.

    Args:
      state: of `counted_seed`; the call is counted.
    """
    step = tf.constant([0, 1], tf.int64)
    seed = state.assign_add(step, read_value=True)
    # Replicas share a state, and draw for rows of their own.
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group, tf.int64)
        apart = tf.stack([replica * _APART, tf.zeros_like(replica)])
        seed = tf.convert_to_tensor(seed) + apart
    return seed
