"""Behaviour as the interest that leads to the ad at hand: DIEN."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Amount
from tfadrec.layers.behavior.augru import AUGRU
from tfadrec.layers.behavior.checks import EVENTS_AND_TARGET
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import masking, watched


@register
class DIEN(CheckedLayer):
    """Follows how interest in each candidate evolved, to [B, C, D].

    The Deep Interest Evolution Network of Zhou et al. (2019). A GRU reads the
    events e_1..e_T, and its states h_t are a user's interests (equations 2-5).
    A second GRU reads the interests once per candidate q, and attention scales
    its update gate (equations 8, 11 and 12), so it moves where the interest
    bears upon q:

        a_t  = softmax_t(h_t . (q W))
        h'_t = (1 - a_t u_t) * h'_{t-1} + a_t u_t * n_t;  out = h'_T

    with u_t and n_t of `AUGRU`. In training, an auxiliary loss teaches each
    interest to tell the next event from another, e^_{t+1} (equation 6):

        L = -mean(log sigmoid(h_t . e_{t+1}) + log(1 - sigmoid(h_t . e^_{t+1})))

    Two things differ from the paper. The other event is that of the next user
    in the batch at the same step, so no sampler is needed; where a user has no
    event there, or the batch has one user, there is no pair. And L is the mean
    over pairs, not the sum over steps and mean over users, so its weight means
    the same for any T.

    Mask: padding is skipped, real events come first; an empty history gives
    zeros. Precision: the compute dtype; softmax and auxiliary loss in float32.

    Args:
      auxiliary_weight: what the auxiliary loss is multiplied by, >= 0; 0 for
        none.

    Call args:
      inputs: dict of `events`, float [B, T, D], oldest first, `mask`, bool
        [B, T], True = real, and `target`, float [B, C, D].
      training: whether to add the auxiliary loss.

    Returns:
      float [B, C, D].

    Raises:
      ValueError: where `auxiliary_weight` is below 0.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> target = tf.ones([2, 5, 4])
      >>> inputs = {"events": events, "mask": mask, "target": target}
      >>> DIEN()(inputs).shape
      TensorShape([2, 5, 4])

    Reference:
      Zhou et al., "Deep Interest Evolution Network for Click-Through Rate
      Prediction", AAAI 2019, arXiv:1809.03672.
    """

    wants = EVENTS_AND_TARGET

    def __init__(self, auxiliary_weight: Amount = 1.0, **kwargs) -> None:
        super().__init__(**kwargs)
        if auxiliary_weight < 0:
            raise ValueError(
                "`auxiliary_weight` must be >= 0. Received: "
                f"auxiliary_weight={auxiliary_weight}."
            )
        self.auxiliary_weight = auxiliary_weight

    def build(self, input_shape) -> None:
        width = input_shape["events"][-1]
        self._extractor, self._evolution = (
            built(
                AUGRU(name=name, dtype=self.dtype_policy), [None, None, width]
            )
            for name in ("extractor", "evolution")
        )
        self._query = built(
            keras.layers.Dense(
                width, use_bias=False, name="query", dtype=self.dtype_policy
            ),
            [None, width],
        )
        super().build(input_shape)

    def call(self, inputs, training=None):
        mask = inputs["mask"][:, :, None]  # [B, T, 1]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = masking.zero_padding(inputs["events"], inputs["mask"])
        events, steps = _swap(events), _swap(mask)  # time first
        states = self._extractor(events, tf.cast(steps, events.dtype))
        states = tf.squeeze(states, 2)  # [T + 1, B, D]
        if training and self.auxiliary_weight:
            loss = _auxiliary_loss(states, events, steps)
            self.add_loss(self.auxiliary_weight * loss)
        # The gradient of a split is faster than that of a slice.
        _, interests = tf.split(states, [1, -1])
        query = self._query(inputs["target"])  # [B, C, D]
        logits = tf.matmul(_swap(interests), query, transpose_b=True)
        attention = masking.masked_softmax(logits, mask, axis=1)  # [B, T, C]
        watched.attending(self.name, tf.transpose(attention, [0, 2, 1]))
        return self._evolution(interests, _swap(attention))[-1]

    def get_config(self):
        return {
            **super().get_config(),
            "auxiliary_weight": self.auxiliary_weight,
        }


def _swap(tensor):
    """[B, T, ...] to [T, B, ...], and back."""
    return tf.transpose(tensor, [1, 0, 2])


def _auxiliary_loss(states, events, mask):
    """How badly a state tells the next event from that of another user.

    Args:
      states: float [T + 1, B, D], the first before all events.
      events: float [T, B, D].
      mask: bool [T, B, 1], True = real.

    Returns:
      float32 scalar, 0 where there is no pair.
    """
    time, batch, _ = tf.unstack(tf.shape(events))
    # Before the first event there is no interest yet.
    pairs = (
        mask & tf.roll(mask, 1, axis=1) & (tf.range(time) > 0)[:, None, None]
    )
    before, _ = tf.split(states, [-1, 1])
    right, wrong = (
        tf.reduce_sum(
            tf.cast(before, tf.float32) * tf.cast(x, tf.float32),
            axis=-1,
            keepdims=True,
        )
        for x in (events, tf.roll(events, 1, axis=1))
    )
    # -log sigmoid(x) = softplus(-x), -log(1 - sigmoid(x)) = softplus(x).
    losses = tf.nn.softplus(-right) + tf.nn.softplus(wrong)
    pairs &= batch > 1
    return masking.masked_mean(
        tf.reshape(losses, [-1]), tf.reshape(pairs, [-1]), axis=0
    )
