"""Several losses of one label, added up."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.core.door import keras, register, tf
from tfadrec.core.errors import InputError
from tfadrec.losses.named import named
from tfadrec.losses.task_loss import TaskLoss


@register
class SumOfLosses(TaskLoss):
    """The weighted sum of losses of one label that read the same outputs.

    `SumOfLosses({"binary": 1.0, "softmax": 0.3})` gives probabilities and
    orders the rows of a slate. `expected` and `score` are those of the losses
    that fix the level of the outputs (`is_calibrated`), and of the first loss
    where none does.

    Args:
      losses: name -> weight, or pairs of a loss and a weight, where a loss is a
        name, a mapping with `class` or a loss, as for `losses.get`. Weights
        are > 0.
      name: string, the name in logs; None for those of the losses.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: the labels, as all of the losses take them.
      y_pred: the outputs, as all of the losses take them.

    Returns:
      float32 as the labels, before the reduction.

    Raises:
      InputError: where there is no loss, a weight is not a finite number > 0,
        or the losses read different outputs or predict different things.

    Example:
      >>> loss = SumOfLosses({"binary": 1.0, "softmax": 0.5})
      >>> round(float(loss([[1.0, 0.0]], [[0.0, 0.0]])), 4)
      1.0397
    """

    def __init__(
        self,
        losses: Mapping[str, float] | Sequence[tuple[Any, float]],
        name: str | None = None,
        **kwargs,
    ) -> None:
        pairs = losses.items() if isinstance(losses, Mapping) else losses
        known = [(named(loss), _weight(weight)) for loss, weight in pairs]
        name = name or "_and_".join(loss.name for loss, _ in known)
        super().__init__(name=name, **kwargs)
        self.losses = known
        if not self.losses:
            raise InputError(
                "A sum of losses needs at least one loss. Received: none. Pass "
                'names and weights, such as {"binary": 1.0}.'
            )
        members = [loss for loss, _ in self.losses]
        leading = [loss for loss in members if loss.is_calibrated] or members
        self._leading = leading[0]
        if len({loss.num_outputs for loss in members}) > 1:
            raise InputError(
                "Losses that are added must read the same number of outputs. "
                f"Received: {_each(members, 'num_outputs')}. Leave out those "
                "that differ."
            )
        if len({loss.is_binary for loss in leading}) > 1:
            raise InputError(
                "Losses that are added must all predict probabilities, or all "
                f"amounts. Received: {_each(leading, 'is_binary')}. Leave out "
                "those that differ."
            )
        self.num_outputs = self._leading.num_outputs
        self.by_request = any(loss.by_request for loss in members)
        self.is_binary = self._leading.is_binary
        self.is_calibrated = self._leading.is_calibrated
        self.counts_rows = all(loss.counts_rows for loss in members)
        self.is_bounded = self._leading.is_bounded
        self.least = max(loss.least for loss in members)

    def per_row(self, labels, outputs, mask=None, weights=None):
        """The loss of each row; see the base class."""
        return tf.add_n(
            [
                weight * loss.per_row(labels, outputs, mask, weights)
                for loss, weight in self.losses
            ]
        )

    def expected(self, outputs):
        """The mean of the label that the outputs predict, float32."""
        return self._leading.expected(outputs)

    def score(self, outputs):
        """What rows are ranked by, float32."""
        return self._leading.score(outputs)

    def start(self, labels, weights):
        """The outputs that are best where all rows have the same."""
        return self._leading.start(labels, weights)

    def bounds(self, labels, weights):
        """What outputs are kept between, where the loss is bounded."""
        return self._leading.bounds(labels, weights)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "losses": [
                [keras.saving.serialize_keras_object(loss), weight]
                for loss, weight in self.losses
            ],
        }

    @classmethod
    def from_config(cls, config):
        """The loss of a config."""
        losses = [
            (keras.saving.deserialize_keras_object(loss), weight)
            for loss, weight in config["losses"]
        ]
        return cls(**{**config, "losses": losses})


def _weight(weight):
    if (
        isinstance(weight, bool)
        or not isinstance(weight, int | float)
        or not 0 < weight < math.inf
    ):
        raise InputError(
            "The weight of a loss must be a finite number > 0. Received: "
            f"{weight!r}. Leave out a loss that shall not count."
        )
    return float(weight)


def _each(losses, attribute):
    return ", ".join(
        f"{attribute}={getattr(loss, attribute)} of {type(loss).__name__}"
        for loss in losses
    )
