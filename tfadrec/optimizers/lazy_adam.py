"""Adam that touches only the embedding rows that a step read."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Amount, Steps
from tfadrec.ops import lookup, xla

#: What Keras' Adam takes, and rows alone cannot follow.
_NOT_OFFERED = ("adaptive_epsilon", "amsgrad", "use_ema")


@register
class LazyAdam(keras.optimizers.Adam):
    """Adam and AdamW with row-sparse updates for embeddings.

    For a row r that the step read, with its gradient g_r, Kingma and Ba (2015),
    algorithm 1, and the decay L of Loshchilov and Hutter (2019), algorithm 2:

        m_r = beta_1 m_r + (1 - beta_1) g_r
        v_r = beta_2 v_r + (1 - beta_2) g_r^2
        w_r = w_r - lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m_r / (sqrt(v_r) + e)
              - lr L w_r

    with t the number of steps so far. It departs from the algorithms in what it
    leaves alone: the moments of a row that was not read do not decay, and the
    row neither moves nor decays, so a rare row decays as rarely as it is read.
    The cost of a step is that of the rows read, whatever the size of the table.
    Weights with a dense gradient are updated as in Keras' Adam, and decay in
    every step.

    Gradients are clipped as Keras does it: before those of a row that a step
    read twice are summed.

    Under a `ParameterServerStrategy` several workers may change a row at a
    time. There, each adds what its step changes, by an operation that has the
    table to itself, so that no step is lost.

    Args:
      learning_rate: lr, or a Keras schedule.
      beta_1: decay of the first moment, in [0, 1).
      beta_2: decay of the second moment, in [0, 1).
      epsilon: e, > 0.
      weight_decay: L, >= 0; None for none. `exclude_from_weight_decay` leaves
        weights out; Keras does not keep that in the config.
      global_clipnorm: the largest norm of all gradients together; None for no
        clipping.
      accumulate_steps: n, >= 1: gradients are averaged over n calls, and the
        weights move in every n-th, as they would for n batches in one. For
        that, the gradient of a table is kept whole: its rows are all updated.
        Calls in between do not count as steps.
      **kwargs: as for any Keras optimiser, such as `clipnorm`. `amsgrad`,
        `adaptive_epsilon` and `use_ema` are not offered.

    Raises:
      ValueError: where `weight_decay` is negative, or an argument of Keras'
        Adam is not offered.

    Example:
      >>> weights = tf.Variable([[1.0], [2.0], [3.0]])
      >>> gradient = tf.IndexedSlices(tf.constant([[0.5]]), tf.constant([1]))
      >>> optimizer = LazyAdam(0.1, weight_decay=0.5)
      >>> _ = optimizer.apply_gradients([(gradient, weights)])
      >>> [round(w, 3) for w in weights.numpy().ravel().tolist()]
      [1.0, 1.8, 3.0]

    Reference:
      Kingma and Ba, "Adam", ICLR 2015, arXiv:1412.6980. Loshchilov and Hutter,
      "Decoupled weight decay regularization", ICLR 2019, arXiv:1711.05101; as
      in Keras, the decay is multiplied by lr.
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: Amount | None = None,
        name: str = "LazyAdam",
        *,
        global_clipnorm: float | None = None,
        accumulate_steps: Steps = 1,
        **kwargs,
    ) -> None:
        for argument in _NOT_OFFERED:
            if kwargs.pop(argument, False):
                raise ValueError(
                    f"{', '.join(_NOT_OFFERED)} are not offered: they are not "
                    "defined for rows alone. Received: "
                    f"{argument}=True. Use keras.optimizers.Adam for it."
                )
        if weight_decay is not None and weight_decay < 0:
            raise ValueError(
                "`weight_decay` must be >= 0. Received: "
                f"weight_decay={weight_decay}."
            )
        if type(accumulate_steps) is not int or accumulate_steps < 1:
            raise ValueError(
                "`accumulate_steps` must be an integer >= 1. Received: "
                f"accumulate_steps={accumulate_steps!r}."
            )
        self.accumulate_steps = accumulate_steps
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            weight_decay=weight_decay,
            name=name,
            global_clipnorm=global_clipnorm,
            **kwargs,
        )

    def build(self, var_list) -> None:
        super().build(var_list)
        if self.accumulate_steps > 1 and not hasattr(self, "_sums"):
            self._sums = [
                self.add_variable_from_reference(variable, "sum")
                for variable in var_list
            ]
            self._calls = tf.Variable(0, dtype=tf.int64, name="calls")
            self._variables.append(self._calls)

    def apply_gradients(
        self, grads_and_vars, name=None, skip_gradients_aggregation=False
    ):
        """As for any Keras optimiser; see `accumulate_steps`."""
        rest = (name, skip_gradients_aggregation)
        if self.accumulate_steps == 1:
            return super().apply_gradients(grads_and_vars, *rest)
        pairs = [pair for pair in grads_and_vars if pair[0] is not None]
        variables = [variable for _, variable in pairs]
        with tf.init_scope():
            self.build(variables)
        sums = [
            self._sums[self._index_dict[self._var_key(v)]] for v in variables
        ]
        for total, (gradient, _) in zip(sums, pairs, strict=True):
            total.assign_add(tf.convert_to_tensor(gradient))
        step = super().apply_gradients

        def apply():
            means = [total / self.accumulate_steps for total in sums]
            step(zip(means, variables, strict=True), *rest)
            for total in sums:
                total.assign(tf.zeros_like(total))
            return tf.identity(self.iterations)

        calls = self._calls.assign_add(1, read_value=True)
        return tf.cond(
            calls % self.accumulate_steps == 0,
            apply,
            lambda: tf.identity(self.iterations),
        )

    def update_step(self, gradient, variable):
        """Updates one variable, or the rows of it that have a gradient."""
        dtype = variable.dtype
        rate = tf.cast(self.learning_rate, dtype)
        decay = self._use_weight_decay(variable) and self.weight_decay
        if not isinstance(gradient, tf.IndexedSlices):
            if decay:
                variable.assign_sub(variable * tf.cast(decay, dtype) * rate)
            super().update_step(gradient, variable)
            return
        place = self._index_dict[self._var_key(variable)]
        first, second = self._momentums[place], self._velocities[place]
        rows, values = _summed(gradient, variable.shape)
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = (
            tf.cast(self.beta_1, dtype),
            tf.cast(self.beta_2, dtype),
        )
        corrected = (
            rate
            * tf.sqrt(1 - tf.pow(beta_2, step))
            / (1 - tf.pow(beta_1, step))
        )
        tables = (first, second, variable)
        old_m, old_v, old_w = (tf.gather(table, rows) for table in tables)
        m = beta_1 * old_m + (1 - beta_1) * values
        v = beta_2 * old_v + (1 - beta_2) * tf.square(values)
        # Workers that take from it at a time may take too much.
        v = tf.nn.relu(v)
        w = old_w
        if decay:
            w *= 1 - rate * tf.cast(decay, dtype)
        w -= corrected * m / (tf.sqrt(v) + self.epsilon)
        _write(tables, rows, (old_m, old_v, old_w), (m, v, w))

    def _deduplicate_sparse_grad(self, grads):
        """Leaves it to `update_step`, which knows how wide a row is."""
        return grads

    def _apply_weight_decay(self, variables):
        """Keras would decay every row of every table; `update_step` decays."""

    def _update_step_xla(self, gradient, variable, key):
        # XLA would compile anew for each number of rows.
        if isinstance(gradient, tf.IndexedSlices):
            self._update_step(gradient, variable)
        else:
            super()._update_step_xla(gradient, variable, key)

    def get_config(self):
        config = super().get_config()
        del config["amsgrad"], config["use_ema"]
        return {**config, "accumulate_steps": self.accumulate_steps}


def _write(tables, rows, old, new):
    """Has rows become new ones, or where others write them change as much."""
    if not isinstance(
        tf.distribute.get_strategy(), tf.distribute.ParameterServerStrategy
    ):
        # On the CPU, scatter_sub takes a lock per row: ten times as long.
        for table, values in zip(tables, new, strict=True):
            table.scatter_update(tf.IndexedSlices(values, rows))
        return
    # The locks of scatter_add are between the rows of one call, not between
    # calls; scatter_nd_add locks the table.
    for table, before, after in zip(tables, old, new, strict=True):
        table.scatter_nd_add(rows[:, None], after - before)


def _summed(gradient, shape):
    """The rows that have a gradient, and their sums [U, *shape[1:]].

    Each row comes once, but that XLA has the first one in all places that are
    over. Several times as fast as Keras' own sum over the places of a row. What
    was gathered from replicas does not know its shape any more.
    """
    rows, places = lookup.distinct(gradient.indices, shape[0])
    count = tf.shape(gradient.values)[0]
    flat = tf.reshape(gradient.values, [count, shape[1:].num_elements()])
    sums = lookup.sum_rows(flat, places, tf.size(rows))
    if xla.is_compiling():
        is_real = tf.range(tf.size(rows)) <= tf.reduce_max(places)
        rows = tf.where(is_real, rows, rows[:1])
        sums = tf.where(is_real[:, None], sums, sums[:1])
    return rows, tf.reshape(tf.cast(sums, flat.dtype), [-1, *shape[1:]])
