"""One block of a Transformer: attention, then a feed-forward network."""

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.behavior.checks import check_dropout, check_sizes
from tfadrec.layers.behavior.multi_head_attention import MultiHeadAttention
from tfadrec.layers.building import built
from tfadrec.layers.dropout import Dropout


@register
class TransformerBlock(keras.layers.Layer):
    """Rows read a context, and then themselves: [B, Q, D] to [B, Q, D].

    The block of Vaswani et al. (2017):

        y   = x + Dropout(Attention(N(x), N(z)))
        out = y + Dropout(relu(N(y) W_1 + b_1) W_2 + b_2)

    for rows x that attend to the vectors z of a context. N is the identity, or
    a layer norm. That stands before the parts and not after the sums, as SASRec
    has it: what comes in passes through every block unchanged, which trains
    without a warm-up (Xiong et al., 2020).

    Without a norm the length of a vector counts. Embeddings of ids start at
    zero and grow with what is known of an ad; a norm makes all of them equally
    long, and little known ads as loud as others.

    Mask: what is masked has no weight. Precision: the compute dtype, softmax
    and norms in float32.

    Args:
      num_heads: a divisor of D, >= 1.
      ffn_units: width of the feed-forward network's hidden layer, >= 1, or None
        for 4 D.
      dropout: share of each part's output dropped in training, in [0, 1).
      layer_norm: whether N is a layer norm.

    Call args:
      inputs: dict of `rows`, float [B, Q, D], `mask`, bool [B, Q, T], True =
        real, where B and Q may be 1, and optionally `context`, float [B, T, D],
        finite in padding too; without it, the rows are the context.
      include_self: whether each row also attends to itself, beside the context.
      training: whether to drop.

    Returns:
      float [B, Q, D].

    Raises:
      ValueError: where a size is below 1, `num_heads` does not divide D, or
        `dropout` lies outside [0, 1).

    Example:
      >>> rows, mask = tf.ones([2, 3, 4]), tf.ones([2, 3, 3], tf.bool)
      >>> TransformerBlock(num_heads=2)({"rows": rows, "mask": mask}).shape
      TensorShape([2, 3, 4])

    Reference:
      Vaswani et al., "Attention is all you need", NeurIPS 2017,
      arXiv:1706.03762; Xiong et al., "On Layer Normalization in the Transformer
      Architecture", ICML 2020, arXiv:2002.04745.
    """

    def __init__(
        self,
        num_heads: int,
        ffn_units: int | None = None,
        dropout: float = 0.0,
        layer_norm: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(num_heads=num_heads)
        if ffn_units is not None:
            check_sizes(ffn_units=ffn_units)
        check_dropout(dropout)
        self.num_heads = num_heads
        self.ffn_units = ffn_units
        self.dropout = dropout
        self.layer_norm = layer_norm

    def build(self, input_shape) -> None:
        policy, rows = self.dtype_policy, input_shape["rows"]
        width = rows[-1]
        hidden = self.ffn_units or 4 * width
        self._attention_norm, self._ffn_norm = (
            built(norm(self.layer_norm, name, policy), rows)
            for name in ("attention_norm", "ffn_norm")
        )
        self._attention = built(
            MultiHeadAttention(self.num_heads, name="attention", dtype=policy),
            {"query": rows},
        )
        self._hidden, self._output = (
            built(
                keras.layers.Dense(units, name=name, dtype=policy),
                [None, inputs],
            )
            for name, inputs, units in (
                ("hidden", width, hidden),
                ("output", hidden, width),
            )
        )
        self._attention_dropout, self._ffn_dropout = (
            built(Dropout(self.dropout, name=name, dtype=policy), rows)
            for name in ("attention_dropout", "ffn_dropout")
        )
        super().build(input_shape)

    def call(self, inputs, include_self=False, training=None):
        rows = inputs["rows"]
        query = context = self._attention_norm(rows)
        if "context" in inputs:
            context = self._attention_norm(inputs["context"])
        attended = self._attention(
            {"query": query, "context": context, "mask": inputs["mask"]},
            include_self=include_self,
        )
        rows += self._attention_dropout(attended, training=training)
        hidden = tf.nn.relu(self._hidden(self._ffn_norm(rows)))
        return rows + self._ffn_dropout(self._output(hidden), training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "ffn_units": self.ffn_units,
            "dropout": self.dropout,
            "layer_norm": self.layer_norm,
        }


def norm(is_norm: bool, name, policy) -> keras.layers.Layer:
    """The layer norm of every Transformer here, or the identity."""
    if not is_norm:
        return keras.layers.Activation("linear", name=name, dtype=policy)
    return keras.layers.LayerNormalization(
        epsilon=1e-6, name=name, dtype=policy
    )
