"""What a user is told by, to make a vector of."""

from typing import NamedTuple

from tfadrec.core.door import tf


class KnownUsers(NamedTuple):
    """What is known of some users.

    Attributes:
      said: float32 [B, P], what a ranker says of the anchors.
      events: float32 [B, T, D], the events of their histories.
      mask: bool [B, T], True = real.
    """

    said: tf.Tensor
    events: tf.Tensor
    mask: tf.Tensor
