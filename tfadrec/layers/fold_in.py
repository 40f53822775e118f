"""A user's opinions so far, folded into what ads are known by."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count, Index
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import masking, watched

_WANTS = {
    "history": "float [B, T, F]",
    "candidates": "float [B, C, F]",
    "mask": "bool [B, T]",
    "event_types": "int [B, T]",
}


@register
class FoldIn(CheckedLayer):
    """What a user would think of candidates: matrix factorisation, folded in.

    An ad i has a level b_i and K factors v_i, that were found before training
    (see `models.start_factors`). What a user thought of the ads of a history is
    read off the events' types, of which each is worth y_t. Then the user's
    level and weights are a ridge regression on the history,

        x_t = [1, v_t];  u = (sum x_t x_t' + P)^-1 sum x_t (y_t - b_t),

    and an opinion of a candidate is b + u . [1, v]. So a user needs no row in
    any table: who came a minute ago is known by what he did since. P is
    diagonal: the penalty of the level, and that of each weight.

    `mixed` brings it to a logit z as own z + weight (opinion) + level. These
    three start at 1, 0 and 0, and are found after training, on validation rows.
    Nothing here is trained by gradients: the factors have seen the training
    rows, and a ranker that was trained beside them would lean on that.

    Mask: masked events have no part; without any, the opinion is b. Precision:
    float32.

    Args:
      num_event_types: how many types there are, that of the unknown included.
      rank: K >= 1.
      skipped: the type of events that were skipped, or 0 where there are none.

    Call args:
      inputs: dict of `history`, float [B, T, F], and `candidates`,
        float [B, C, F], the level and the K = F - 1 factors of ads; `mask`,
        bool [B, T], True = real, and `event_types`, int32 [B, T].

    Returns:
      float32 [B, C].

    Raises:
      ValueError: where a number is below 1.

    Example:
      >>> layer = FoldIn(num_event_types=3, rank=2)
      >>> zeros = tf.zeros([2, 4], tf.int32)
      >>> layer({"history": tf.ones([2, 4, 3]), "mask": zeros == 0,
      ...        "candidates": tf.ones([2, 5, 3]), "event_types": zeros}).shape
      TensorShape([2, 5])

    Reference:
      Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender
      Systems", IEEE Computer 2009; folding in: Sarwar et al., "Incremental
      Singular Value Decomposition Algorithms", ICCIT 2002.
    """

    wants = _WANTS

    def __init__(
        self,
        num_event_types: Count = 1,
        *,
        rank: Count = 16,
        skipped: Index = 0,
        **kwargs,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        if num_event_types < 1 or rank < 1:
            raise ValueError(
                "`num_event_types` and `rank` must be >= 1. Received: "
                f"num_event_types={num_event_types}, rank={rank}."
            )
        self.num_event_types = num_event_types
        self.rank = rank
        self.skipped = skipped

    def build(self, input_shape=None) -> None:
        def weight(name, start):
            return self.add_weight(
                name,
                shape=[len(start)],
                dtype="float32",
                initializer=_Numbers(start),
                trainable=False,
                experimental_autocast=False,
            )

        self.values = weight("values", [0.0] * self.num_event_types)
        self.penalties = weight("penalties", [1.0] * (1 + self.rank))
        self.mix = weight("mix", [1.0, 0.0, 0.0])
        super().build(input_shape)

    def call(self, inputs):
        types = inputs["event_types"]
        is_known = (types > 0) & (types < self.num_event_types)
        values = tf.gather(self.values, tf.where(is_known, types, 0))
        values = watched.entering(self.name, ("event",), values[..., None])
        history = masking.zero_padding(
            tf.cast(inputs["history"], tf.float32), inputs["mask"]
        )
        real = tf.cast(inputs["mask"], tf.float32)[..., None]
        x = tf.concat([real, history[..., 1:]], axis=-1)  # [B, T, K + 1]
        y = (values - history[..., :1]) * real
        curve = tf.matmul(x, x, transpose_a=True)
        curve += tf.linalg.diag(self.penalties)
        slope = tf.matmul(x, y, transpose_a=True)
        user = tf.linalg.cholesky_solve(tf.linalg.cholesky(curve), slope)
        candidates = tf.cast(inputs["candidates"], tf.float32)
        levels, factors = candidates[..., 0], candidates[..., 1:]
        told = tf.matmul(factors, user[:, 1:])[..., 0]
        return levels + user[:, :1, 0] + told

    def mixed(self, logits, opinions):
        """Logits [B, C] with opinions [B, C] in them."""
        own, weight, level = tf.unstack(self.mix)
        return own * logits + weight * opinions + level

    def get_config(self):
        return {
            **super().get_config(),
            "num_event_types": self.num_event_types,
            "rank": self.rank,
            "skipped": self.skipped,
        }


class _Numbers(keras.initializers.Initializer):
    """A weight's first values."""

    def __init__(self, values) -> None:
        self._values = values

    def __call__(self, shape, dtype=None, **kwargs):
        return tf.constant(self._values, dtype, shape)
