"""Dropout that a resumed run repeats."""

from tfadrec.core.door import keras, register, tf

#: Between the seeds of replicas, beyond those that are drawn.
_APART = 2**40


@register
class Dropout(keras.layers.Layer):
    """Zeroes a share of the inputs while training, [...] to [...].

    As in Srivastava et al. (2014), what is kept is scaled by 1 / (1 - rate).
    The mask depends on a seed and on a counter of the calls. Both are a weight,
    so a checkpoint holds them, and a run that was killed and resumed draws the
    masks that it would have drawn.

    Mask: passed on unchanged. Precision: that of the inputs.

    Args:
      rate: the share of inputs to drop, in [0, 1).
      broadcast_last: whether one draw decides for the whole last axis.
      seed: None draws one with the weights, as `keras.utils.set_random_seed`
        determines.

    Call args:
      inputs: float [...].
      training: whether to drop anything.

    Returns:
      A tensor like the inputs.

    Raises:
      ValueError: where the rate lies outside [0, 1).

    Example:
      >>> Dropout(0.5)(tf.ones([2, 3]), training=False).shape
      TensorShape([2, 3])

    Reference:
      Srivastava et al., "Dropout", JMLR 15 (2014).
    """

    def __init__(
        self,
        rate: float,
        *,
        broadcast_last: bool = False,
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(
                f"`rate` must lie in [0, 1). Received: rate={rate}."
            )
        self.rate = rate
        self.broadcast_last = broadcast_last
        self.seed = seed
        self.supports_masking = True

    def build(self, input_shape) -> None:
        self._state = self.add_weight(
            "seed_and_step",
            shape=[2],
            dtype=tf.int64,
            initializer=self._first_state,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        super().build(input_shape)

    def _first_state(self, shape, dtype=None):
        if self.seed is not None:
            return tf.constant([self.seed, 0], dtype)
        return tf.random.uniform(shape, maxval=_APART, dtype=dtype)

    def call(self, inputs, training=None):
        if not training or self.rate == 0:
            return inputs
        step = tf.constant([0, 1], tf.int64)
        state = self._state.assign_add(step, read_value=True)
        # Replicas share a state, and draw for rows of their own.
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            context = tf.distribute.get_replica_context()
            replica = tf.cast(context.replica_id_in_sync_group, tf.int64)
            apart = tf.stack([replica * _APART, tf.zeros_like(replica)])
            state = tf.convert_to_tensor(state) + apart
        noise = tf.shape(inputs)
        if self.broadcast_last:
            noise = tf.concat([noise[:-1], [1]], axis=0)
        return tf.nn.experimental.stateless_dropout(
            inputs, rate=self.rate, seed=state, noise_shape=noise
        )

    def get_config(self):
        return {
            **super().get_config(),
            "rate": self.rate,
            "broadcast_last": self.broadcast_last,
            "seed": self.seed,
        }
