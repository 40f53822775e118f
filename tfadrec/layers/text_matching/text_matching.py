"""A history's texts against candidates' texts."""

from collections.abc import Sequence

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count, Index, Positive
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import masking, sequence, watched

#: What a candidate's products with a history are summed up as.
SIGNALS = ("attended", "largest", "mean", "newest")

_WANTS = {
    "history": "float [B, T, W]",
    "candidates": "float [B, C, W]",
    "mask": "bool [B, T]",
    "event_types": "int [B, T]",
    "ages": "int [B, T]",
}
_CORRECTED = {
    "history_keys": "float [B, T, R]",
    "candidate_queries": "float [B, C, R]",
}


@register
class TextMatching(CheckedLayer):
    """Scores candidates by what their texts have of a history's texts.

    For the vectors v_j of a history's ads and u of a candidate, with M as in
    `TextSpace`, and s_j a sign of the event's type that starts at 1:

        alpha_j = softmax_j(beta u . M v_j + b_j)
        w       = sum_j alpha_j s_j M v_j
        c       = u . w

    b_j is the sum of a term for the event's type, one for its age and one for
    its place from the newest; all start at zero. Besides c, the attended
    product, there are the largest, the mean and the newest of s_j u . M v_j.
    A weight for each makes a logit of them. The weights start at values that
    are of use, so before any training a candidate's logit is that of a good
    zero-shot matcher.

    Ads that were shown and skipped have no part in these. Where a history holds
    them, four signals more are the same of the skipped ones alone; their
    weights start at 0.

    Mask: masked events have no part; without any, and for a candidate without
    text, all is 0. Precision: float32, as of `TextSpace`.

    Args:
      num_event_types: how many types there are, that of the unknown included.
      max_length: places that have a term of their own, >= 1; older events share
        the last one's.
      temperature: 1 / beta at the start, > 0.
      weights_at_start: of attended, largest, mean and newest product.
      skipped: the type of events that were skipped, or 0 where there are none.

    Call args:
      inputs: dict of `history`, float [B, T, W], and `candidates`,
        float [B, C, W], the `text_unit` of `TextSpace`; where it corrects them
        also of `history_keys`, float [B, T, R], its `text_key`, and
        `candidate_queries`, float [B, C, R], its `text_query`; `mask`,
        bool [B, T], True = real, the newest real event last; `event_types` and
        `ages`, int32 [B, T], seconds.

    Returns:
      float32 `signals` [B, C, 4], attended, largest, mean, newest, or [B, C, 8]
      with those of skipped events; and their logit [B, C].

    Raises:
      ValueError: where a number is out of range.

    Example:
      >>> space = TextSpace()
      >>> zeros = tf.zeros([2, 3], tf.int32)
      >>> signals, logit = TextMatching(num_event_types=1)({
      ...     "history": space(tf.ones([2, 3, 8]))["text_unit"],
      ...     "candidates": space(tf.ones([2, 5, 8]))["text_unit"],
      ...     "mask": zeros == 0, "event_types": zeros, "ages": zeros})
      >>> logit.shape
      TensorShape([2, 5])
    """

    wants = _WANTS
    may_have = _CORRECTED

    def __init__(
        self,
        num_event_types: Count = 1,
        *,
        max_length: Count = 50,
        temperature: Positive = 0.1,
        weights_at_start: Sequence[float] = (3.0, 3.0, 1.0, 1.0),
        skipped: Index = 0,
        **kwargs,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        if num_event_types < 1 or max_length < 1 or not temperature > 0:
            raise ValueError(
                "`num_event_types` and `max_length` must be >= 1, "
                "`temperature` > 0. Received: num_event_types="
                f"{num_event_types}, max_length={max_length}, "
                f"temperature={temperature}."
            )
        if len(weights_at_start) != len(SIGNALS):
            raise ValueError(
                f"`weights_at_start` are of {', '.join(SIGNALS)}. Received: "
                f"{len(weights_at_start)} numbers."
            )
        self.num_event_types = num_event_types
        self.max_length = max_length
        self.temperature = temperature
        self.weights_at_start = tuple(weights_at_start)
        self.skipped = skipped

    @property
    def num_signals(self) -> int:
        """How many signals there are."""
        return len(SIGNALS) * (2 if self.skipped else 1)

    def build(self, input_shape=None) -> None:
        def weight(name, shape, start):
            return self.add_weight(
                name,
                shape=shape,
                dtype="float32",
                initializer=keras.initializers.Constant(start),
                experimental_autocast=False,
            )

        # exp: it stays above zero.
        self._log_temperature = weight("log_temperature", [], 0.0)
        self._weights = weight("weights", [4], self.weights_at_start)
        if self.skipped:
            self._skipped_weights = weight("skipped_weights", [4], 0.0)
        self._sign = weight("sign", [self.num_event_types], 1.0)
        self._of_type = weight("of_type", [self.num_event_types], 0.0)
        self._of_age = weight("of_age", [sequence.NUM_AGE_BUCKETS], 0.0)
        self._of_place = weight("of_place", [self.max_length], 0.0)
        super().build(input_shape)

    def call(self, inputs):
        mask = inputs["mask"]
        types = inputs["event_types"]
        is_known = (types > 0) & (types < self.num_event_types)
        types = tf.where(is_known, types, 0)
        terms = tf.gather(self._of_type, types) + tf.gather(
            self._of_age, sequence.age_buckets(inputs["ages"])
        )
        products = self._products(inputs)
        signed = products * tf.gather(self._sign, types)[:, None, :]
        if not self.skipped:
            signals = self._signals(products, signed, terms, mask)
            return signals, tf.tensordot(signals, self._weights, 1)
        is_skipped = types == self.skipped
        parts = [
            self._signals(products, signed, terms, part)
            for part in (mask & ~is_skipped, mask & is_skipped)
        ]
        weights = (self._weights, self._skipped_weights)
        logits = map(tf.tensordot, parts, weights, (1, 1))
        return tf.concat(parts, axis=-1), tf.add(*logits)

    def _signals(self, products, signed, terms, mask):
        """The signals of the events in a mask [B, T], float32 [B, C, 4]."""
        ago = sequence.events_ago(mask)
        terms += tf.gather(
            self._of_place, tf.clip_by_value(ago, 0, self.max_length - 1)
        )
        beta = tf.exp(-self._log_temperature) / self.temperature
        is_real = mask[:, None, :]
        alpha = masking.masked_softmax(
            beta * products + terms[:, None, :], is_real
        )
        watched.attending(self.name, alpha)
        signed = tf.where(is_real, signed, 0.0)
        is_newest = is_real & (ago == 0)[:, None, :]
        return tf.stack(
            [
                tf.reduce_sum(alpha * signed, axis=-1),
                masking.pool(signed, is_real, "max"),
                masking.pool(signed, is_real, "mean"),
                tf.reduce_sum(tf.where(is_newest, signed, 0.0), axis=-1),
            ],
            axis=-1,
        )

    def scale_weights(self, factor: float) -> None:
        """Multiplies the weights of all signals; the layer is built."""
        self._weights.assign(self._weights * factor)

    def _products(self, inputs):
        """The products u . M v_j, float32 [B, C, T]."""
        mask = inputs["mask"]
        history = masking.zero_padding(inputs["history"], mask)
        products = tf.matmul(inputs["candidates"], history, transpose_b=True)
        if "candidate_queries" in inputs:
            keys = masking.zero_padding(inputs["history_keys"], mask)
            queries = inputs["candidate_queries"]
            products += tf.matmul(queries, keys, transpose_b=True)
        return products

    def get_config(self):
        return {
            **super().get_config(),
            "num_event_types": self.num_event_types,
            "max_length": self.max_length,
            "temperature": self.temperature,
            "weights_at_start": list(self.weights_at_start),
            "skipped": self.skipped,
        }
