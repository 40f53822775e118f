"""Behaviour as what a search finds for the candidate, then attention: SIM."""

import types
from typing import Literal, get_args

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count
from tfadrec.layers.behavior.checks import (
    AGES,
    EVENTS_AND_TARGET,
    check_sizes,
)
from tfadrec.layers.behavior.multi_head_attention import MultiHeadAttention
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import lookup, masking, sequence

_SEARCHES = ("soft", "hard")
_KINDS = {"category": "int [B, T]", "target_category": "int [B, C]"}
_Search = Literal["soft", "hard"]
_SEARCHES = get_args(_Search)


@register
class SIM(CheckedLayer):
    """Searches a long history, then attends to what it found, to [B, C, D].

    Search-based interest model of Pi et al. (2020). A general search unit
    scores every event k_t for a candidate q (equation 1), the top_k events are
    chosen, and an exact search unit attends to them with their time gaps:

        r_t   = [category of k_t = category of q]        hard
        r_t   = W_a q . W_b k_t / sqrt(D)                soft
        z_t   = k_t + e(time gap of k_t)
        found = TargetAttention(q, the z_t of the top_k events by r_t)

    Hard search takes the newest top_k of the events that have the candidate's
    category, the unknown one like any other, and no more; its output is what it
    found. Choosing has no gradient, so soft search adds what its scores alone
    make of the whole history, and learns to score high what matters:

        out   = found + sum_t softmax_t(r_t) k_t

    A gap's embedding e is that of the power of two below 1 + age in seconds.

    Mask: padding is never chosen; a candidate for which nothing is found gets
    zeros. Precision: scores are compared in float32, softmax in float32, the
    rest in the compute dtype.

    Args:
      search: `soft`, by an inner product that is learned, or `hard`, by
        category.
      top_k: events that a candidate attends to, >= 1; all where there are
        fewer.
      num_heads: a divisor of D, >= 1.

    Call args:
      inputs: dict of `events`, float [B, T, D], oldest first, `mask`,
        bool [B, T], True = real, `target`, float [B, C, D], `ages`,
        int32 [B, T], seconds before the request, and for hard search
        `category`, int32 [B, T], and `target_category`, int32 [B, C].

    Returns:
      float [B, C, D].

    Raises:
      ValueError: where the search is unknown, a size is below 1, `num_heads`
        does not divide D, or the inputs lack what the search needs.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> inputs = {"events": events, "mask": mask, "target": events}
      >>> ages = tf.constant([[300, 200, 100]] * 2)
      >>> SIM(top_k=2)({**inputs, "ages": ages}).shape
      TensorShape([2, 3, 4])

    Reference:
      Pi et al., "Search-based User Interest Modeling with Lifelong Sequential
      Behavior Data for Click-Through Rate Prediction", CIKM 2020,
      arXiv:2006.05639. The paper trains soft search with a click loss of its
      own over sum_t r_t k_t; here one loss trains both stages, and the softmax
      sees to it that more score is more weight. The paper's gaps are
      concatenated; here they are added, to keep D.
    """

    def __init__(
        self,
        search: _Search = "soft",
        top_k: Count = 50,
        num_heads: Count = 2,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if search not in _SEARCHES:
            raise ValueError(
                f"`search` must be one of {', '.join(_SEARCHES)}. Received: "
                f"search={search!r}."
            )
        check_sizes(top_k=top_k, num_heads=num_heads)
        self.search = search
        self.top_k = top_k
        self.num_heads = num_heads
        kinds = _KINDS if search == "hard" else {}
        # Keras wraps a dict attribute.
        self.wants = types.MappingProxyType(
            {**EVENTS_AND_TARGET, **AGES, **kinds}
        )

    def build(self, input_shape) -> None:
        width = input_shape["target"][-1]
        if self.search == "soft":
            self._search_target, self._search_event = (
                built(
                    keras.layers.Dense(
                        width,
                        use_bias=False,
                        name=name,
                        dtype=self.dtype_policy,
                    ),
                    [None, width],
                )
                for name in ("search_target", "search_event")
            )
        self._gap_embedding = self.add_weight(
            "gap_embedding",
            [sequence.NUM_AGE_BUCKETS, width],
            initializer="uniform",
        )
        self._attention = built(
            MultiHeadAttention(
                self.num_heads, name="attention", dtype=self.dtype_policy
            ),
            {"query": input_shape["target"]},
        )
        super().build(input_shape)

    def call(self, inputs):
        mask, target = inputs["mask"], inputs["target"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = masking.zero_padding(inputs["events"], mask)
        search = self._search_soft if self.search == "soft" else _search_hard
        scores, may_be_found = search(inputs, events)
        chosen, is_real = sequence.top_events(scores, may_be_found, self.top_k)
        gaps = lookup.gather_rows(
            self._gap_embedding, sequence.age_buckets(inputs["ages"])
        )
        found = self._attention(
            {
                "query": target,
                "context": events + gaps,
                "chosen": chosen,
                "mask": is_real,
            }
        )
        if self.search == "hard":
            return found
        weights = masking.masked_softmax(scores, may_be_found)
        return found + tf.matmul(tf.cast(weights, events.dtype), events)

    def _search_soft(self, inputs, events):
        query = self._search_target(inputs["target"]) * events.shape[-1] ** -0.5
        scores = tf.matmul(query, self._search_event(events), transpose_b=True)
        return tf.cast(scores, tf.float32), inputs["mask"][:, None, :]

    def get_config(self):
        return {
            **super().get_config(),
            "search": self.search,
            "top_k": self.top_k,
            "num_heads": self.num_heads,
        }


def _search_hard(inputs, events):
    alike = (
        inputs["category"][:, None, :] == inputs["target_category"][:, :, None]
    )
    newer = tf.range(tf.shape(events)[1])
    return tf.cast(newer, tf.float32), inputs["mask"][:, None, :] & alike
