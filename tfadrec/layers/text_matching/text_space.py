"""A text vector as what texts are compared by."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Extra
from tfadrec.layers.checked_layer import CheckedLayer


@register
class TextSpace(CheckedLayer):
    """Text vectors, centred and corrected: [..., W] to a dict of four.

    Sentence vectors of one catalogue all point in much the same direction. So
    the mean m of its texts is taken away before lengths are made one; what is
    left tells ads from each other. A bilinear form compares a history's ad h
    with a candidate v,

        h' M v = h' (I + U V') v = h' v + (U' h)' (V' v)

    the identity plus a correction of rank R (as Hu et al., 2021, correct
    weights). V starts at zero: before training it is the cosine.

    The correction is worked out per ad, so a match costs W + R products.

    What an ad's text is worth to anybody is a'v. It tells ads apart that nobody
    has met yet, and users without a history.

    Mask: none; a vector of zeros, which is no text, gives zeros. Precision:
    float32, since what is told apart are small differences of near vectors.

    Args:
      rank: R >= 0; 0 for the cosine alone, without weights to train.

    Call args:
      vectors: float [..., W].

    Returns:
      Dict of float32 `text_unit` [..., W], of length 1 or 0; `text_appeal`
      [...], a'v; and where R > 0 `text_key` and `text_query` [..., R], those of
      an ad as part of a history and as a candidate.

    Attributes:
      mean: float32 [W], m; zeros until it is assigned. It is not trained.
      appeal: float32 [W], a; zeros until it is assigned. It is not trained,
        either: trained from where a regression left it, it told less.

    Raises:
      ValueError: where the rank is below 0.

    Example:
      >>> sorted(TextSpace(rank=4)(tf.ones([2, 8])))
      ['text_appeal', 'text_key', 'text_query', 'text_unit']

    Reference:
      Hu et al., "LoRA", ICLR 2022, arXiv:2106.09685, section 4.1; centring: Mu
      and Viswanath, "All-but-the-Top", ICLR 2018, arXiv:1702.01417.
    """

    wants = "float [..., W]"

    def __init__(self, rank: Extra = 64, **kwargs) -> None:
        # Vectors keep their precision until they are of length one.
        super().__init__(autocast=False, **kwargs)
        if rank < 0:
            raise ValueError(f"`rank` must be >= 0. Received: rank={rank}.")
        self.rank = rank

    @property
    def history_parts(self) -> tuple[str, ...]:
        """The names of what is read of a history's ads."""
        return ("text_unit", *(["text_key"] if self.rank else []))

    @property
    def candidate_parts(self) -> tuple[str, ...]:
        """The names of what is read of candidates."""
        corrected = ["text_query"] if self.rank else []
        return ("text_unit", "text_appeal", *corrected)

    def build(self, input_shape) -> None:
        width = input_shape[-1]

        def weight(name, shape, **kwargs):
            return self.add_weight(
                name,
                shape=shape,
                dtype="float32",
                experimental_autocast=False,
                **kwargs,
            )

        self.mean, self.appeal = (
            weight(name, [width], initializer="zeros", trainable=False)
            for name in ("mean", "appeal")
        )
        if self.rank:
            # Such that U'h has about the length of h.
            start = keras.initializers.RandomNormal(stddev=self.rank**-0.5)
            shape = [width, self.rank]
            self._key = weight("key", shape, initializer=start)
            self._query = weight("query", shape, initializer="zeros")
        super().build(input_shape)

    def call(self, vectors):
        vectors = tf.cast(vectors, tf.float32)
        has_text = tf.reduce_any(vectors != 0, axis=-1, keepdims=True)
        # Near the mean all but the last digits cancel. These must not depend on
        # the order in which a batch adds up squares.
        squares = tf.reduce_sum(tf.cast(vectors, tf.float64) ** 2, axis=-1)
        lengths = tf.cast(tf.sqrt(squares), tf.float32)[..., None]
        units = tf.math.divide_no_nan(vectors, lengths) - self.mean
        units = tf.where(has_text, tf.math.l2_normalize(units, axis=-1), 0.0)
        parts = {
            "text_unit": units,
            "text_appeal": tf.linalg.matvec(units, self.appeal),
        }
        if self.rank:
            for name, weight in (("key", self._key), ("query", self._query)):
                parts[f"text_{name}"] = tf.tensordot(units, weight, 1)
        return parts

    def magnification(self) -> float:
        """By how much it makes differences of vectors larger, >= 1.

        That is 1 / sqrt(1 - |m|^2), one over the root mean square distance of
        vectors of length one from their mean m.
        """
        length = min(float(tf.norm(self.mean)), 1.0)
        return 1 / max(1 - length**2, 1e-12) ** 0.5

    def get_config(self):
        return {**super().get_config(), "rank": self.rank}
