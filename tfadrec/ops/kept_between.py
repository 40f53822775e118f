"""Numbers kept between bounds, with a way back."""

import tensorflow as tf

from tfadrec.ops.custom_gradient import custom_gradient


@custom_gradient
def kept_between(
    values: tf.Tensor, least: tf.Tensor, largest: tf.Tensor
) -> tf.Tensor:
    """The values, and the bound that is nearer where they lie beyond it.

    The gradient is that of the values themselves, but 0 where it would lead
    further away from the bounds: a value beyond one can come back, which that
    of a plain clip cannot.

    Args:
      values: float [...].
      least: float, what goes together with the values; may be infinite.
      largest: the same.

    Returns:
      As the values.
    """

    def gradient(upstream):
        # A step goes against the gradient.
        away = (values > largest) & (upstream < 0.0)
        away |= (values < least) & (upstream > 0.0)
        return tf.where(away, tf.zeros_like(upstream), upstream), None, None

    return tf.clip_by_value(values, least, largest), gradient
