"""Probabilities, worked out from their logits."""

import tensorflow as tf


def logit_of_product(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The logit of sigmoid(a) sigmoid(b), without forming a probability.

    1 / (sigmoid(a) sigmoid(b)) = 1 + exp(-a) + exp(-b) + exp(-a - b), so

        logit = -log(exp(-a) + exp(-b) + exp(-a - b))

    and its gradient, a softmax, lies in [0, 1].

    Args:
      a: logits, float [...].
      b: logits, float [...].

    Returns:
      Logits, float32 [...], finite where a + b is.
    """
    a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    return -tf.reduce_logsumexp(tf.stack([-a, -b, -a - b]), axis=0)
