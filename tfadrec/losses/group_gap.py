"""What keeps groups from being predicted apart."""

import math
from typing import Any, Literal

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.ranges import Positive

_GOALS = ("exposure", "opportunity")


class GroupGap:
    """A penalty on how far apart the mean predictions of groups are.

    With m_g the mean probability of a group's rows, n_g of n of them, and m
    that of all rows of a batch,

        weight * sum_g (n_g / n) (m_g / m - 1)^2,

    so a group that is predicted half as often as the others costs the same
    whatever the click rate is. With the goal `opportunity` only rows with the
    label count: among those that are clicked, no group shall be predicted
    lower. Rows of unknown values are a group as well.

    Args:
      field: the groups: a category of ads, users, requests or candidates.
      weight: > 0, of the penalty beside the mean loss of a row.
      goal: `exposure` (demographic parity) or `opportunity`.

    Raises:
      InputError: where a weight or a goal is none.

    Reference:
      Beutel et al., "Putting Fairness Principles into Practice", AIES 2019,
      arXiv:1901.04562, of which this has the means alone.

    Example:
      >>> gap = GroupGap("brand", weight=2.0)
      >>> logits, codes = tf.constant([0.0, 0.0, -50.0]), tf.constant([1, 1, 2])
      >>> round(float(gap(logits, codes, tf.zeros(3))), 4)
      1.0
    """

    def __init__(
        self,
        field: str,
        weight: Positive = 1.0,
        goal: Literal["exposure", "opportunity"] = "exposure",
    ) -> None:
        if isinstance(weight, bool) or not 0 < weight < math.inf:
            raise InputError(
                f"`weight` must be a finite number > 0. Received: {weight!r}."
            )
        if goal not in _GOALS:
            raise InputError(
                f"`goal` must be one of {', '.join(_GOALS)}. Received: "
                f"{goal!r}."
            )
        self.field, self.weight, self.goal = field, weight, goal

    def __call__(
        self, logits: Any, codes: Any, labels: Any, mask: Any = None
    ) -> Any:
        """The penalty of a batch, float32 [].

        Args:
          logits: float [...].
          codes: int32 [...], the group of each row, >= 0.
          labels: [...], 0 or 1.
          mask: bool [...], True = real; None = all real.
        """
        rows = tf.ones_like(logits, tf.float32)
        if mask is not None:
            rows = tf.cast(mask, tf.float32)
        if self.goal == "opportunity":
            rows *= tf.cast(labels, tf.float32)
        rows, codes = tf.reshape(rows, [-1]), tf.reshape(codes, [-1])
        # Padding may hold anything, and gets no gradient.
        logits = tf.reshape(tf.cast(logits, tf.float32), [-1])
        probs = tf.sigmoid(tf.where(rows > 0, logits, 0.0))
        groups = tf.reduce_max(tf.concat([codes, [0]], 0)) + 1
        sizes, sums = (
            tf.math.unsorted_segment_sum(values, codes, groups)
            for values in (rows, rows * probs)
        )
        shares = tf.math.divide_no_nan(sizes, tf.reduce_sum(sizes))
        mean = tf.math.divide_no_nan(tf.reduce_sum(sums), tf.reduce_sum(sizes))
        of_groups = tf.math.divide_no_nan(sums, sizes)
        apart = tf.math.divide_no_nan(of_groups, mean) - 1.0
        apart = tf.where(sizes > 0, apart, 0.0)
        return self.weight * tf.reduce_sum(shares * tf.square(apart))
