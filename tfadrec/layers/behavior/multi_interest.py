"""Behaviour as several interests, the nearest of which meets the ad."""

from typing import Literal, get_args

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Count, Parts
from tfadrec.layers.behavior.checks import EVENTS_AND_TARGET, check_sizes
from tfadrec.layers.behavior.interest_shares import (
    interest_layers,
    interest_shares,
)
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import masking

_Routing = Literal["dynamic", "attention"]
_ROUTINGS = get_args(_Routing)


@register
class MultiInterest(CheckedLayer):
    """Sums up a user in K interests, and gives each candidate one: [B, C, D].

    The multi-interest module of ComiRec (Cen et al., 2020). Each candidate q
    gets the interest v_k of the largest inner product v_k . q, a hard choice
    as in the paper's training; the others learn nothing from this candidate.

    With `routing="dynamic"` (ComiRec-DR) the events e_t are shared out among
    interests, which pull at the events that agree with them. From b_kt = 0, as
    often as `iterations` says:

        c_kt = softmax_k(b_kt);  s_k = sum_t c_kt e_t W_k
        v_k = |s_k| / (1 + |s_k|^2) s_k;  b_kt = b_kt + v_k . (e_t W_k)

    W_k is applied to sums and not to events, which is the same and cheaper. As
    in the authors' code no gradient goes through the c_kt. The paper has a W
    for every position besides; with one for all, any T works. It is the W_k
    that tell the interests apart, so nothing is drawn at random.

    With `routing="attention"` (ComiRec-SA) each interest is a weighted mean:

        a_kt = softmax_t(tanh(e_t W_1) w_k);  v_k = sum_t a_kt e_t

    with tanh(e_t W_1) of width 4 D. The paper adds position embeddings to the
    events first; here `UserTower` does.

    Mask: padding has no weight; an empty history gives zeros. Precision: the
    compute dtype; softmax, length and choice in float32.

    Args:
      num_interests: K, >= 1.
      routing: `dynamic` or `attention`.
      iterations: of the dynamic routing, >= 1.

    Call args:
      inputs: dict of `events`, float [B, T, D], `mask`, bool [B, T], True =
        real, and `target`, float [B, C, D].

    Returns:
      float [B, C, D].

    Raises:
      ValueError: where a number is below 1 or the routing is unknown.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> target = tf.ones([2, 5, 4])
      >>> inputs = {"events": events, "mask": mask, "target": target}
      >>> MultiInterest()(inputs).shape
      TensorShape([2, 5, 4])

    Reference:
      Cen et al., "Controllable Multi-Interest Framework for Recommendation",
      KDD 2020, arXiv:2005.09347, section 3.2.
    """

    wants = EVENTS_AND_TARGET

    def __init__(
        self,
        num_interests: Count = 4,
        *,
        routing: _Routing = "dynamic",
        iterations: Parts = 3,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(num_interests=num_interests, iterations=iterations)
        if routing not in _ROUTINGS:
            raise ValueError(
                f"`routing` must be one of {', '.join(_ROUTINGS)}. Received: "
                f"routing={routing!r}."
            )
        self.num_interests = num_interests
        self.routing = routing
        self.iterations = iterations

    def build(self, input_shape) -> None:
        width = input_shape["events"][-1]
        if self.routing == "dynamic":
            # As Glorot's for each W_k.
            self._kernel = self.add_weight(
                "kernel",
                [width, self.num_interests * width],
                initializer="lecun_uniform",
            )
        else:
            self._hidden, self._score = interest_layers(
                self.num_interests, width, self.dtype_policy
            )
        super().build(input_shape)

    def call(self, inputs):
        mask, target = inputs["mask"], inputs["target"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = masking.zero_padding(inputs["events"], mask)
        if self.routing == "dynamic":
            interests = self._route(events)
        else:
            interests = self._attend(events, mask)  # [B, K, D]
        products = tf.matmul(
            tf.cast(target, tf.float32),
            tf.cast(interests, tf.float32),
            transpose_b=True,
        )  # [B, C, K]
        choice = tf.one_hot(
            tf.argmax(products, axis=-1), self.num_interests, dtype=events.dtype
        )
        return tf.matmul(choice, interests)

    def _attend(self, events, mask):
        weights = interest_shares(events, mask, self._hidden, self._score)
        weights = tf.cast(weights, events.dtype)  # [B, T, K]
        return tf.matmul(weights, events, transpose_a=True)

    def _route(self, events):
        # Padding is zero, so it adds nothing to a sum, wherever it goes.
        batch, time, _ = tf.unstack(tf.shape(events))
        width = events.shape[-1]
        kernel = tf.reshape(self._kernel, [width, self.num_interests, width])
        still, still_kernel = tf.stop_gradient(events), tf.stop_gradient(kernel)
        logits = tf.zeros([batch, time, self.num_interests])
        for _ in range(self.iterations - 1):
            interests = _sum_up(logits, still, still_kernel)
            # v . (e W) = (v W^T) . e
            pulls = tf.einsum("bke,dke->bkd", interests, still_kernel)
            products = tf.matmul(still, pulls, transpose_b=True)  # [B, T, K]
            logits += tf.cast(products, tf.float32)
        return _sum_up(logits, events, kernel)

    def get_config(self):
        return {
            **super().get_config(),
            "num_interests": self.num_interests,
            "routing": self.routing,
            "iterations": self.iterations,
        }


def _sum_up(logits, events, kernel):
    """Interests [B, K, D] of shared out events, no longer than 1."""
    shares = tf.cast(tf.nn.softmax(logits), events.dtype)  # [B, T, K]
    sums = tf.matmul(shares, events, transpose_a=True)
    sums = tf.einsum("bkd,dke->bke", sums, kernel)
    sums = tf.cast(sums, tf.float32)
    square = tf.reduce_sum(tf.square(sums), axis=-1, keepdims=True)
    # The root of 0 has no gradient.
    length = tf.sqrt(square + 1e-12)
    return tf.cast(length / (1 + square) * sums, events.dtype)
