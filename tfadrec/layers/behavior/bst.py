"""Behaviour as a Transformer's view from the candidate: BST."""

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Count, Parts, Rate
from tfadrec.layers.behavior.checks import (
    EVENTS_AND_TARGET,
    check_dropout,
    check_sizes,
)
from tfadrec.layers.behavior.transformer_block import TransformerBlock, norm
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer


@register
class BST(CheckedLayer):
    """Each candidate is the last event of the history, to [B, C, D].

    Behavior sequence transformer of Chen et al. (2019), section 2.2, with
    blocks of `TransformerBlock`: in each, events attend to all events, and a
    candidate's row attends to all events and to itself. The output is the
    candidate's row after the last block.

    Events do not see the candidate, so their states are computed once per user
    and shared by all candidates, which cost T D each and not T^2 D. The last
    block needs no states of events, and with one block there are none.

    Mask: padding is not attended to; with an empty history a candidate sees
    itself alone. Precision: the compute dtype, softmax and norms in float32.

    Args:
      num_layers: number of blocks, >= 1.
      num_heads: a divisor of D, >= 1.
      ffn_units: width of the feed-forward networks' hidden layer, >= 1, or None
        for 4 D.
      dropout: share of each part's output dropped in training, in [0, 1).
      layer_norm: `layer_norm` of `TransformerBlock`; with it the output is
        normalised too.

    Call args:
      inputs: dict of `events`, float [B, T, D], with what tells their time, as
        `UserTower`'s have, `mask`, bool [B, T], True = real, and `target`,
        float [B, C, D].
      training: whether to drop.

    Returns:
      float [B, C, D].

    Raises:
      ValueError: where a size is below 1, `num_heads` does not divide D, or
        `dropout` lies outside [0, 1).

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> target = tf.ones([2, 5, 4])
      >>> inputs = {"events": events, "mask": mask, "target": target}
      >>> BST()(inputs).shape
      TensorShape([2, 5, 4])

    Reference:
      Chen et al., "Behavior Sequence Transformer for E-commerce Recommendation
      in Alibaba", DLP-KDD 2019, arXiv:1905.06874. In the paper events attend to
      the candidate too, and all rows go on to the ranker, so that every
      candidate costs a whole Transformer; there are layer norms, after the
      sums, the feed-forward network has a leaky ReLU, and the time from an
      event to the request is embedded inside.
    """

    wants = EVENTS_AND_TARGET

    def __init__(
        self,
        num_layers: Parts = 1,
        num_heads: Count = 2,
        *,
        ffn_units: Count | None = None,
        dropout: Rate = 0.0,
        layer_norm: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(num_layers=num_layers, num_heads=num_heads)
        if ffn_units is not None:
            check_sizes(ffn_units=ffn_units)
        check_dropout(dropout)
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.ffn_units = ffn_units
        self.dropout = dropout
        self.layer_norm = layer_norm

    def build(self, input_shape) -> None:
        policy, target = self.dtype_policy, input_shape["target"]
        self._blocks = [
            built(
                TransformerBlock(
                    self.num_heads,
                    self.ffn_units,
                    self.dropout,
                    self.layer_norm,
                    name=f"block_{i}",
                    dtype=policy,
                ),
                {"rows": target},
            )
            for i in range(self.num_layers)
        ]
        self._norm = built(norm(self.layer_norm, "norm", policy), target)
        super().build(input_shape)

    def call(self, inputs, training=None):
        target, mask = inputs["target"], inputs["mask"][:, None, :]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = tf.where(inputs["mask"][:, :, None], inputs["events"], 0)
        for block in self._blocks:
            target = block(
                {"rows": target, "context": events, "mask": mask},
                include_self=True,
                training=training,
            )
            if block is not self._blocks[-1]:
                events = block(
                    {"rows": events, "mask": mask}, training=training
                )
        return self._norm(target)

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "ffn_units": self.ffn_units,
            "dropout": self.dropout,
            "layer_norm": self.layer_norm,
        }
