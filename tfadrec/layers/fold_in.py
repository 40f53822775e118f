"""A user's opinions so far, folded into what ads are known by."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count, Extra, Index
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import masking, watched

_WANTS = {
    "history": "float [B, T, F]",
    "candidates": "float [B, C, F]",
    "mask": "bool [B, T]",
    "event_types": "int [B, T]",
}
#: What an opinion is the sum of.
PARTS = ("ad", "user", "newest", "taste", "text")
#: Events after which one counts half of what it did for a user's newest level.
_HALF_LIFE = 5.0


@register
class FoldIn(CheckedLayer):
    """What a user would think of candidates: matrix factorisation, folded in.

    An ad i has a level b_i, K factors v_i that were found before training (see
    `models.start_factors`), and the D main directions w_i of its text. What a
    user thought of the ads of a history is read off the events' types, of which
    each is worth y_t. Then the user's level, what it has been of late, and his
    weights are a ridge regression on the history,

        x_t = [1, r_t, v_t, w_t], r_t = 2^(-(events after t) / 5)
        u = (sum x_t x_t' + P)^-1 sum x_t (y_t - b_t),

    and an opinion of a candidate is b + u . [1, 1, v, w]. So a user needs no
    row in any table: who came a minute ago is known by what he did since. P is
    diagonal: the penalties of both levels, of each factor's weight, and of each
    direction's.

    An opinion is given in its parts, the ad's level, both levels of the user,
    and what factors and texts say, since each deserves a trust of its own.
    `mixed` brings them to a network's logit z and that of a linear path, q, as
    a z + b q + weights . parts + level. These start at 1, 1, 0 and 0, and are
    found after training, on validation rows. Nothing here is trained by
    gradients: the factors have seen the training rows, and a ranker that was
    trained beside them would lean on that.

    Mask: masked events have no part; without any, all but the ad's level is 0.
    Precision: float32.

    Args:
      num_event_types: how many types there are, that of the unknown included.
      rank: K >= 1.
      text_rank: D >= 0.
      skipped: the type of events that were skipped, or 0 where there are none.

    Call args:
      inputs: dict of `history`, float [B, T, F], and `candidates`,
        float [B, C, F], the level, the K factors and the D = F - 1 - K
        directions of ads; `mask`, bool [B, T], True = real, and `event_types`,
        int32 [B, T].

    Returns:
      float32 [B, C, 5], the parts of opinions in the order of `PARTS`.

    Raises:
      ValueError: where a number is too small.

    Example:
      >>> layer = FoldIn(num_event_types=3, rank=2)
      >>> zeros = tf.zeros([2, 4], tf.int32)
      >>> layer({"history": tf.ones([2, 4, 3]), "mask": zeros == 0,
      ...        "candidates": tf.ones([2, 5, 3]), "event_types": zeros}).shape
      TensorShape([2, 5, 5])

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
        text_rank: Extra = 0,
        skipped: Index = 0,
        **kwargs,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        if num_event_types < 1 or rank < 1 or text_rank < 0:
            raise ValueError(
                "`num_event_types` and `rank` must be >= 1, and `text_rank` >= "
                f"0. Received: num_event_types={num_event_types}, rank={rank}, "
                f"text_rank={text_rank}."
            )
        self.num_event_types = num_event_types
        self.rank = rank
        self.text_rank = text_rank
        self.skipped = skipped

    @property
    def num_factors(self) -> int:
        """Numbers of an ad beside its level: K + D."""
        return self.rank + self.text_rank

    @property
    def is_mixed(self) -> bool:
        """Whether a mix was found, which is fitted to a rate of clicks."""
        return self.mix.numpy().tolist() != self._unmixed

    @property
    def _unmixed(self) -> list[float]:
        return [1.0, 1.0] + [0.0] * (len(PARTS) + 1)

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
        self.penalties = weight("penalties", [1.0] * (2 + self.num_factors))
        self.mix = weight("mix", self._unmixed)
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
        after = tf.cumsum(real, axis=1, exclusive=True, reverse=True)
        newest = real * 0.5 ** (after / _HALF_LIFE)
        x = tf.concat([real, newest, history[..., 1:]], axis=-1)
        y = (values - history[..., :1]) * real
        curve = tf.matmul(x, x, transpose_a=True)
        curve += tf.linalg.diag(self.penalties)
        slope = tf.matmul(x, y, transpose_a=True)
        user = tf.linalg.cholesky_solve(tf.linalg.cholesky(curve), slope)
        user = tf.linalg.matrix_transpose(user)  # [B, 1, 2 + K + D]
        candidates = tf.cast(inputs["candidates"], tf.float32)
        ad, factors = candidates[..., 0], candidates[..., 1:]
        levels = [tf.broadcast_to(user[..., i], tf.shape(ad)) for i in (0, 1)]
        told = tf.split(
            user[..., 2:] * factors, [self.rank, self.text_rank], axis=-1
        )
        told = [tf.reduce_sum(part, axis=-1) for part in told]
        return tf.stack([ad, *levels, *told], axis=-1)

    def mixed(self, learned, linear, opinions):
        """Logits of a network and a linear path, with opinions in them.

        Args:
          learned: float32 [B, C], the network's.
          linear: float32 [B, C].
          opinions: float32 [B, C, 5], as from `call`.

        Returns:
          float32 [B, C].
        """
        told = tf.linalg.matvec(opinions, self.mix[2:-1])
        own = self.mix[0] * learned + self.mix[1] * linear
        return own + told + self.mix[-1]

    def get_config(self):
        return {
            **super().get_config(),
            "num_event_types": self.num_event_types,
            "rank": self.rank,
            "text_rank": self.text_rank,
            "skipped": self.skipped,
        }


class _Numbers(keras.initializers.Initializer):
    """A weight's first values."""

    def __init__(self, values) -> None:
        self._values = values

    def __call__(self, shape, dtype=None, **kwargs):
        return tf.constant(self._values, dtype, shape)
