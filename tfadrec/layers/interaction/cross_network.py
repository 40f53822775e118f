"""Bounded-degree crosses of all features: DCN V2."""

import tensorflow_recommenders as tfrs

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Count, Parts
from tfadrec.layers.checked_layer import CheckedLayer


@register
class CrossNetwork(CheckedLayer):
    """Crosses features with themselves, layer by layer: [..., F] to [..., F].

    The cross network of Wang et al. (2021), equation 1:

        x_{l+1} = x_0 * (W_l x_l + b_l) + x_l

    with W_l of full rank, or W_l = U_l V_l of a lower one (equation 2). After l
    layers the output holds all products of up to l + 1 features. The layers are
    `Cross` of tensorflow-recommenders.

    Mask: none. Precision: float32.

    Args:
      num_layers: number of cross layers, >= 1.
      rank: of the kernels, >= 1, or None for full rank.

    Call args:
      inputs: float [..., F].

    Returns:
      float32 [..., F].

    Raises:
      ValueError: where an argument is below 1.

    Example:
      >>> CrossNetwork(2)(tf.ones([2, 5, 4])).shape
      TensorShape([2, 5, 4])

    Reference:
      Wang et al., "DCN V2", WWW 2021, arXiv:2008.13535.
    """

    wants = "float [..., F]"
    takes = "features"

    def __init__(
        self, num_layers: Parts = 2, *, rank: Count | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if num_layers < 1 or (rank is not None and rank < 1):
            raise ValueError(
                "`num_layers` must be >= 1, and `rank` >= 1 or None. Received: "
                f"num_layers={num_layers}, rank={rank}."
            )
        self.num_layers = num_layers
        self.rank = rank

    def build(self, input_shape) -> None:
        self._crosses = [
            tfrs.layers.feature_interaction.Cross(
                projection_dim=self.rank,
                name=f"cross_{i}",
                dtype="float32",  # it mixes precisions otherwise
            )
            for i in range(self.num_layers)
        ]
        for cross in self._crosses:
            # Its `build` leaves its weights out.
            cross(tf.zeros([1, input_shape[-1]]))
        super().build(input_shape)

    def call(self, inputs):
        crossed = first = tf.cast(inputs, tf.float32)
        for cross in self._crosses:
            crossed = cross(first, crossed)
        return crossed

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "rank": self.rank,
        }
