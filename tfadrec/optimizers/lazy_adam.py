"""Adam that touches only the embedding rows that a step read."""

from tfadrec.core.door import keras, register, tf


@register
class LazyAdam(keras.optimizers.Adam):
    """Adam with row-sparse updates for embeddings.

    For a row r that the step read, with its gradient g_r, Kingma and Ba (2015),
    algorithm 1:

        m_r = beta_1 m_r + (1 - beta_1) g_r
        v_r = beta_2 v_r + (1 - beta_2) g_r^2
        w_r = w_r - lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m_r / (sqrt(v_r) + e)

    with t the number of steps so far. It departs from the algorithm in what it
    leaves alone: the moments of a row that was not read do not decay, and the
    row does not move. The cost of a step is that of the rows read. Weights with
    a dense gradient are updated as in Adam.

    Args:
      learning_rate: lr, or a Keras schedule.
      beta_1: decay of the first moment, in [0, 1).
      beta_2: decay of the second moment, in [0, 1).
      epsilon: e, > 0.
      **kwargs: as for any Keras optimiser; `amsgrad` is not offered.

    Example:
      >>> model.compile(LazyAdam(1e-3))  # doctest: +SKIP

    Reference:
      Kingma and Ba, "Adam", ICLR 2015, arXiv:1412.6980.
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "LazyAdam",
        **kwargs,
    ) -> None:
        if kwargs.pop("amsgrad", False):
            raise ValueError(
                "`amsgrad` needs the moments of every row. Received: "
                "amsgrad=True. Use keras.optimizers.Adam for it."
            )
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, name=name, **kwargs
        )

    def update_step(self, gradient, variable):
        """Updates one variable, or the rows of it that have a gradient."""
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable)
            return
        place = self._index_dict[self._var_key(variable)]
        first, second = self._momentums[place], self._velocities[place]
        # Keras has summed the gradients of a row that occurs twice.
        rows, values = gradient.indices, gradient.values
        dtype = variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = (
            tf.cast(self.beta_1, dtype),
            tf.cast(self.beta_2, dtype),
        )
        rate = (
            tf.cast(self.learning_rate, dtype)
            * tf.sqrt(1 - tf.pow(beta_2, step))
            / (1 - tf.pow(beta_1, step))
        )
        m = beta_1 * tf.gather(first, rows) + (1 - beta_1) * values
        v = beta_2 * tf.gather(second, rows) + (1 - beta_2) * tf.square(values)
        first.scatter_update(tf.IndexedSlices(m, rows))
        second.scatter_update(tf.IndexedSlices(v, rows))
        change = rate * m / (tf.sqrt(v) + self.epsilon)
        variable.scatter_sub(tf.IndexedSlices(change, rows))

    def get_config(self):
        config = super().get_config()
        del config["amsgrad"]
        return config
