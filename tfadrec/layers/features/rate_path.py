"""Rates and counts to a logit of their own."""

import types
from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import plain
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import watched

#: The kinds of features that have this path.
KINDS = ("rate", "count")


@register
class RatePath(CheckedLayer):
    """Adds up rates and counts with a weight for each: columns to [...].

    A rate is a distance of logits already, so its sum with others is a logit
    before any training: that of a naive Bayes classifier, whose weights of 1
    are too large where keys tell the same. They start at `start` for rates and
    at 0 for counts.

    Mask: none. Precision: float32.

    Args:
      features: rates and counts, as `Feature.spec` gives them.
      start: the first weight of a rate.

    Call args:
      columns: dict of float [...] by the features' names.

    Returns:
      float32 [...].

    Raises:
      ValueError: where there is no feature, or one of another kind.

    Example:
      >>> path = RatePath([{"name": "ad_rate", "kind": "rate"}])
      >>> float(path({"ad_rate": tf.constant([2.0])})[0])
      1.0
    """

    def __init__(
        self,
        features: Sequence[Mapping[str, Any]],
        *,
        start: float = 0.5,
        **kwargs,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        kinds = [feature["kind"] for feature in features]
        if not kinds or not set(kinds) <= set(KINDS):
            raise ValueError(
                f"`features` must be of the kinds {', '.join(KINDS)}. "
                f"Received: {', '.join(kinds) or 'no feature'}."
            )
        self.features = [dict(feature) for feature in features]
        self.start = start
        # Keras wraps a dict attribute.
        self.wants = types.MappingProxyType(
            {feature["name"]: "float [...]" for feature in self.features}
        )

    def build(self, input_shape=None) -> None:
        start = [
            self.start if feature["kind"] == "rate" else 0.0
            for feature in self.features
        ]
        #: float32 [features], what each counts.
        self.factors = self.add_weight(
            "weights",
            shape=[len(start)],
            dtype="float32",
            initializer=keras.initializers.Constant(start),
            experimental_autocast=False,
        )
        super().build(input_shape)

    def values(self, columns):
        """The columns side by side, float32 [..., features], 0 for none.

        Args:
          columns: see `call`.
        """
        values = tf.stack(
            [tf.cast(columns[f["name"]], tf.float32) for f in self.features],
            axis=-1,
        )
        # A value that nobody gave is that of an unknown key.
        return tf.where(tf.math.is_nan(values), 0.0, values)

    def call(self, columns):
        names = tuple(feature["name"] for feature in self.features)
        values = watched.entering(self.name, names, self.values(columns))
        return tf.tensordot(values, self.factors, 1)

    def get_config(self):
        return {
            **super().get_config(),
            "features": plain(self.features),
            "start": self.start,
        }
