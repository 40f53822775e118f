"""Behaviour as the state of gated pointwise attention: HSTU."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count, Parts, Rate
from tfadrec.layers.behavior.checks import (
    EVENTS_AND_AGES,
    check_dropout,
    check_heads,
    check_sizes,
)
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.dropout import Dropout
from tfadrec.ops import attention, lookup, masking, sequence


@register
class HSTU(CheckedLayer):
    """Events attend to each other without a softmax: [B, T, D] to [B, 1, D].

    Hierarchical sequential transduction units of Zhai et al. (2024), section 3,
    equations 1 to 3. In each block, for the states x_1..x_T:

        u_i, v_i, q_i, k_i = split(SiLU(W_1 x_i))
        a_ij = SiLU(q_i . k_j + p(i - j) + t(gap_ij)) / i,  j <= i
        x_i' = x_i + Dropout(W_2 (Norm(sum_j a_ij v_j) * u_i) + b_2)

    with learned biases p for the distance in events and t for the power of two
    below 1 + the seconds between the two events, which all heads share. The
    weights a_ij are not a share of one, so they tell how much there was of
    something; they are divided by the number of events seen, i, to keep their
    scale. The output is the newest event's state, which in the last block is
    the only row computed.

    Mask: real events come first; padding is not attended to; an empty history
    gives zeros. Precision: the compute dtype, attention weights and norms in
    float32.

    Args:
      num_layers: number of blocks, >= 1.
      num_heads: a divisor of D, >= 1.
      dropout: share of each block's output dropped in training, in [0, 1).
      max_length: events further apart than this share one distance, >= 1.

    Call args:
      inputs: dict of `events`, float [B, T, D], oldest first, `mask`,
        bool [B, T], True = real, and `ages`, int32 [B, T], seconds before the
        request. A `target` is not looked at.
      training: whether to drop.

    Returns:
      float [B, 1, D].

    Raises:
      ValueError: where a size is below 1, `num_heads` does not divide D,
        `dropout` lies outside [0, 1), or the inputs have no `ages`.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> ages = tf.constant([[300, 200, 100]] * 2)
      >>> HSTU()({"events": events, "mask": mask, "ages": ages}).shape
      TensorShape([2, 1, 4])

    Reference:
      Zhai et al., "Actions Speak Louder than Words: Trillion-Parameter
      Sequential Transducers for Generative Recommendations", ICML 2024,
      arXiv:2402.17152. The residual is that of the authors' code, which
      also normalises x_i and divides by the padded length. The paper's ranking
      form, where candidates are the last events, is left out.
    """

    wants = EVENTS_AND_AGES

    def __init__(
        self,
        num_layers: Parts = 2,
        num_heads: Count = 2,
        *,
        dropout: Rate = 0.0,
        max_length: Count = 50,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(
            num_layers=num_layers, num_heads=num_heads, max_length=max_length
        )
        check_dropout(dropout)
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.dropout = dropout
        self.max_length = max_length

    def build(self, input_shape) -> None:
        events = input_shape["events"]
        check_heads(self.num_heads, events[-1])
        self._distance_bias, self._gap_bias = (
            self.add_weight(
                name, [self.num_layers, size], initializer="uniform"
            )
            for name, size in (
                ("distance_bias", self.max_length),
                ("gap_bias", sequence.NUM_AGE_BUCKETS),
            )
        )
        self._blocks = [
            built(
                _Block(
                    self.num_heads,
                    self.dropout,
                    name=f"block_{i}",
                    dtype=self.dtype_policy,
                ),
                {"rows": events},
            )
            for i in range(self.num_layers)
        ]
        super().build(input_shape)

    def call(self, inputs, training=None):
        mask = inputs["mask"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        states = masking.zero_padding(inputs["events"], mask)
        ages = tf.where(mask, inputs["ages"], 0)
        steps = tf.range(tf.shape(states)[1])
        distances = steps[:, None] - steps  # [T, T]
        visible = mask[:, None, :] & (distances >= 0)
        gaps = sequence.age_buckets(ages[:, None, :] - ages[:, :, None])
        for i, block in enumerate(self._blocks[:-1]):
            states = block(
                {
                    "rows": states,
                    "context": states,
                    "bias": self._bias(i, distances, gaps),
                    "mask": visible,
                },
                training=training,
            )
        newest_age = sequence.newest(ages[:, :, None], mask)[:, :, 0]
        gaps = sequence.age_buckets(ages - newest_age)
        bias = self._bias(-1, sequence.events_ago(mask), gaps)
        states = self._blocks[-1](
            {
                "rows": sequence.newest(states, mask),
                "context": states,
                "bias": bias[:, None, :],
                "mask": mask[:, None, :],
            },
            training=training,
        )
        has_events = tf.reduce_any(mask, axis=1)
        return tf.where(has_events[:, None, None], states, 0)

    def _bias(self, i, distances, gaps):
        distances = tf.clip_by_value(distances, 0, self.max_length - 1)
        return lookup.gather_rows(
            self._distance_bias[i], distances
        ) + lookup.gather_rows(self._gap_bias[i], gaps)

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "max_length": self.max_length,
        }


class _Block(keras.layers.Layer):
    """Rows read a context: [B, Q, D], [B, T, D] to [B, Q, D]."""

    def __init__(self, num_heads, dropout, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout

    def build(self, input_shape):
        policy, rows = self.dtype_policy, input_shape["rows"]
        width = rows[-1]
        # W_1 in two, as only some rows need a query and a gate.
        self._row, self._context, self._output = (
            built(
                keras.layers.Dense(
                    units, use_bias=use_bias, name=name, dtype=policy
                ),
                [None, width],
            )
            for name, units, use_bias in (
                ("gate_and_query", 2 * width, False),
                ("value_and_key", 2 * width, False),
                ("output", width, True),
            )
        )
        self._norm = built(
            keras.layers.LayerNormalization(
                epsilon=1e-6,
                center=False,
                scale=False,
                name="norm",
                dtype=policy,
            ),
            rows,
        )
        self._dropout = built(
            Dropout(self.dropout, name="dropout", dtype=policy), rows
        )
        super().build(input_shape)

    def call(self, inputs, training=None):
        rows, mask = inputs["rows"], inputs["mask"]
        row = tf.nn.silu(self._row(rows))
        context = tf.nn.silu(self._context(inputs["context"]))
        gate, query = tf.split(row, 2, axis=-1)
        value, key = tf.split(context, 2, axis=-1)
        query, value, key = (
            attention.split_heads(x, self.num_heads)
            for x in (query, value, key)
        )  # [B, H, Q or T, d]
        logits = tf.matmul(query, key, transpose_b=True)
        logits += inputs["bias"][:, None, :, :]
        weights = tf.nn.silu(tf.cast(logits, tf.float32))
        weights = tf.where(mask[:, None, :, :], weights, 0)
        seen = tf.reduce_sum(tf.cast(mask, tf.float32), axis=-1)  # [B, Q]
        weights /= tf.maximum(seen, 1)[:, None, :, None]
        weights = tf.cast(weights, value.dtype)
        attended = attention.join_heads(tf.matmul(weights, value))
        gated = self._norm(attended) * gate
        return rows + self._dropout(self._output(gated), training=training)
