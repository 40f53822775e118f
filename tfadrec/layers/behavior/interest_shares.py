"""Which events each of several interests is made of."""

from tfadrec.core.door import keras, tf
from tfadrec.layers.building import built
from tfadrec.ops import masking


def interest_layers(
    num_interests: int, width: int, dtype: keras.mixed_precision.Policy
) -> tuple[keras.layers.Layer, keras.layers.Layer]:
    """The two layers that `interest_shares` reads events by, built.

    Args:
      num_interests: K, >= 1.
      width: D, of the events.
      dtype: the policy of their parent.
    """
    hidden, score = (
        keras.layers.Dense(
            units, activation, use_bias=False, name=name, dtype=dtype
        )
        for units, activation, name in (
            (4 * width, "tanh", "hidden"),
            (num_interests, None, "score"),
        )
    )
    return built(hidden, [None, width]), built(score, [None, 4 * width])


def interest_shares(
    events: tf.Tensor,
    mask: tf.Tensor,
    hidden: keras.layers.Layer,
    score: keras.layers.Layer,
) -> tf.Tensor:
    """How much of each interest an event is.

        a_kt = softmax_t(tanh(e_t W_1) w_k)

    Args:
      events: float [B, T, D], finite, also in padding.
      mask: bool [B, T], True = real.
      hidden: gives tanh(e_t W_1), of width 4 D.
      score: gives its inner products with the w_k.

    Returns:
      float32 [B, T, K], which sums to one over the real events; 0 elsewhere.

    Reference:
      Cen et al., "Controllable Multi-Interest Framework for Recommendation",
      KDD 2020, arXiv:2005.09347, section 3.2 (ComiRec-SA).
    """
    return masking.masked_softmax(
        score(hidden(events)), mask[:, :, None], axis=1
    )
