"""Behaviour as the state of a Transformer: SASRec and its two-way sibling."""

from typing import Literal

import numpy as np

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Count, Parts, Rate
from tfadrec.layers.behavior.checks import EVENTS, check_dropout, check_sizes
from tfadrec.layers.behavior.transformer_block import TransformerBlock, norm
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.dropout import Dropout
from tfadrec.ops import lookup, masking, sequence

_POSITIONS = ("learned", "sinusoidal", None)


@register
class Transformer(CheckedLayer):
    """Events attend to each other: [B, T, D] to [B, 1, D].

    SASRec of Kang and McAuley (2018), section 3: positions are added to the
    events, and each block of `TransformerBlock` is attention and a feed-forward
    network. SASRec's `layer_norm`, before each part and once more at the end,
    is off by default; `TransformerBlock` says why.

    Causal, an event sees itself and what came before it, and the output is the
    newest event's state, which is what SASRec ranks by; the last block then
    computes this one row. Else every event sees all events, and the output is
    the mean of their states, as none of them stands for the whole.

    Positions are counted back from the newest event, so padding does not shift
    them, and the newest has the same one in every history.

    Mask: padding is not attended to; an empty history gives zeros. Precision:
    the compute dtype; softmax, norms and the mean in float32.

    Args:
      num_layers: number of blocks, >= 1.
      num_heads: a divisor of D, >= 1.
      ffn_units: width of the feed-forward networks' hidden layer, >= 1, or None
        for 4 D. SASRec has D.
      dropout: share of the events with their positions, and of each part's
        output, dropped in training, in [0, 1).
      layer_norm: whether there are layer norms.
      causal: whether an event sees only what came before it.
      positions: `learned`, `sinusoidal`, as Vaswani et al. (2017), section
        3.5, have them, or None, where the events' vectors hold them already, as
        `UserTower`'s do.
      max_length: events further back than this share one position, >= 1.

    Call args:
      inputs: dict of `events`, float [B, T, D], oldest first, and `mask`,
        bool [B, T], True = real. A `target` is not looked at.
      training: whether to drop.

    Returns:
      float [B, 1, D].

    Raises:
      ValueError: where a size is below 1, `num_heads` does not divide D,
        `dropout` lies outside [0, 1), or the positions are unknown.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> Transformer()({"events": events, "mask": mask}).shape
      TensorShape([2, 1, 4])

    Reference:
      Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018,
      arXiv:1808.09781. The attention here has an output projection, as in
      Vaswani et al., which several heads need and SASRec's one does not; its
      positions count from the oldest of the last `max_length` events.
    """

    wants = EVENTS

    def __init__(
        self,
        num_layers: Parts = 2,
        num_heads: Count = 2,
        *,
        ffn_units: Count | None = None,
        dropout: Rate = 0.0,
        layer_norm: bool = False,
        causal: bool = True,
        positions: Literal["learned", "sinusoidal"] | None = "learned",
        max_length: Count = 50,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(
            num_layers=num_layers, num_heads=num_heads, max_length=max_length
        )
        if ffn_units is not None:
            check_sizes(ffn_units=ffn_units)
        check_dropout(dropout)
        if positions not in _POSITIONS:
            raise ValueError(
                "`positions` must be one of learned, sinusoidal or None. "
                f"Received: positions={positions!r}."
            )
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.ffn_units = ffn_units
        self.dropout = dropout
        self.layer_norm = layer_norm
        self.causal = causal
        self.positions = positions
        self.max_length = max_length

    def build(self, input_shape) -> None:
        policy, events = self.dtype_policy, input_shape["events"]
        if self.positions == "learned":
            self._position_embedding = self.add_weight(
                "position_embedding",
                [self.max_length, events[-1]],
                initializer="uniform",
            )
        elif self.positions == "sinusoidal":
            self._waves = _waves(self.max_length, events[-1])
        self._dropout = built(
            Dropout(self.dropout, name="dropout", dtype=policy), events
        )
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
                {"rows": events},
            )
            for i in range(self.num_layers)
        ]
        self._norm = built(norm(self.layer_norm, "norm", policy), events)
        super().build(input_shape)

    def call(self, inputs, training=None):
        mask = inputs["mask"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        states = masking.zero_padding(inputs["events"], mask)
        states = self._dropout(self._place(states, mask), training=training)
        visible = mask[:, None, :]
        if self.causal:
            steps = tf.range(tf.shape(states)[1])
            visible &= steps[:, None] >= steps  # [B, T, T]
        for block in self._blocks[:-1]:
            states = block({"rows": states, "mask": visible}, training=training)
        last = {"rows": states, "mask": visible}
        if self.causal:
            last = {
                "rows": sequence.newest(states, mask),
                "context": states,
                "mask": mask[:, None, :],
            }
        states = self._norm(self._blocks[-1](last, training=training))
        if not self.causal:
            mean = masking.masked_mean(states, mask[:, :, None], axis=1)
            states = tf.cast(mean, states.dtype)[:, None, :]
        has_events = tf.reduce_any(mask, axis=1)
        return tf.where(has_events[:, None, None], states, 0)

    def _place(self, events, mask):
        """Adds positions."""
        if self.positions is None:
            return events
        table = (
            self._position_embedding
            if self.positions == "learned"
            else tf.cast(self._waves, events.dtype)
        )
        places = tf.minimum(sequence.events_ago(mask), self.max_length - 1)
        return events + lookup.gather_rows(table, places)

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "ffn_units": self.ffn_units,
            "dropout": self.dropout,
            "layer_norm": self.layer_norm,
            "causal": self.causal,
            "positions": self.positions,
            "max_length": self.max_length,
        }


def _waves(length, width):
    """Sines, then cosines, of ever longer waves: float32 [length, width]."""
    num_waves = (width + 1) // 2
    waves = 10000.0 ** (-np.arange(num_waves) / num_waves)
    angles = np.arange(length)[:, None] * waves
    both = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return both[:, :width].astype(np.float32)
