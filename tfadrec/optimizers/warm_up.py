"""A learning rate that rises first, and falls to zero after."""

import math
from typing import Literal, get_args

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Index, Positive, Steps

_Decay = Literal["linear", "cosine"]
_DECAYS = get_args(_Decay)


@register
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly for some steps, then falls to zero.

    After t steps, with w steps of warm-up of T altogether:

        rate = peak (t + 1) / w                          for t < w
        rate = peak (1 - s)                              linear
        rate = peak (1 + cos(pi s)) / 2                  cosine

    where s = (t - w) / (T - w), at most 1.

    Args:
      learning_rate: peak, > 0.
      warm_up_steps: w, >= 0.
      total_steps: T, > w.
      decay: `linear` or `cosine`.

    Raises:
      ValueError: where an argument is out of range.

    Example:
      >>> schedule = WarmUp(1.0, warm_up_steps=2, total_steps=6)
      >>> [float(schedule(step)) for step in range(7)]
      [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]

    Reference:
      Devlin et al., "BERT", NAACL 2019, appendix A.2 (linear); Loshchilov and
      Hutter, "SGDR", ICLR 2017, equation 5 (cosine, without restarts).
    """

    def __init__(
        self,
        learning_rate: Positive,
        warm_up_steps: Index,
        total_steps: Steps,
        decay: _Decay = "linear",
    ) -> None:
        if not learning_rate > 0:
            raise ValueError(
                "`learning_rate` must be > 0. Received: "
                f"learning_rate={learning_rate!r}."
            )
        if not 0 <= warm_up_steps < total_steps:
            raise ValueError(
                "steps must be 0 <= warm_up_steps < total_steps. Received: "
                f"warm_up_steps={warm_up_steps}, total_steps={total_steps}."
            )
        if decay not in _DECAYS:
            raise ValueError(
                f"`decay` must be one of {', '.join(_DECAYS)}. Received: "
                f"{decay!r}."
            )
        self.learning_rate = learning_rate
        self.warm_up_steps = warm_up_steps
        self.total_steps = total_steps
        self.decay = decay

    def __call__(self, step):
        done, first = tf.cast(step, tf.float32), self.warm_up_steps
        rising = (done + 1) / max(first, 1)
        share = tf.minimum((done - first) / (self.total_steps - first), 1.0)
        falling = (
            1 - share
            if self.decay == "linear"
            else (1 + tf.cos(math.pi * share)) / 2
        )
        return self.learning_rate * tf.where(done < first, rising, falling)

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "warm_up_steps": self.warm_up_steps,
            "total_steps": self.total_steps,
            "decay": self.decay,
        }
