"""Attention with learned projections, over all events or over chosen ones."""

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.behavior.checks import check_heads, check_sizes
from tfadrec.layers.building import built
from tfadrec.ops import attention


@register
class MultiHeadAttention(keras.layers.Layer):
    """Queries read a context: [B, Q, D] and [B, T, D] to [B, Q, D].

    Multi-head attention of Vaswani et al. (2017), section 3.2.2, with heads of
    width d = D / num_heads:

        head_h = softmax(q W_h^Q (x W_h^K)^T / sqrt(d)) x W_h^V
        out    = [head_1, ..., head_H] W^O

    Where a query looks at chosen vectors only, keys and values are still
    computed once per vector of the context, and then gathered.

    Mask: what is masked has no weight; a query without anything real gives
    zeros. Precision: the compute dtype, softmax in float32.

    Args:
      num_heads: a divisor of D, >= 1.

    Call args:
      inputs: dict of `query`, float [B, Q, D], `context`, float [B, T, D],
        finite in padding too, and `mask`, bool [B, Q, T], True = real, where B
        and Q may be 1. Optionally `chosen`, int32 [B, Q, K], the places in T
        that each query looks at; the mask is then [B, Q, K].
      include_self: whether each query also looks at itself, beside the whole
        context.

    Returns:
      float [B, Q, D].

    Raises:
      ValueError: where `num_heads` is below 1 or does not divide D.

    Example:
      >>> query, context = tf.ones([2, 5, 4]), tf.ones([2, 3, 4])
      >>> mask = tf.ones([2, 1, 3], tf.bool)
      >>> inputs = {"query": query, "context": context, "mask": mask}
      >>> MultiHeadAttention(2)(inputs).shape
      TensorShape([2, 5, 4])

    Reference:
      Vaswani et al., "Attention is all you need", NeurIPS 2017,
      arXiv:1706.03762.
    """

    def __init__(self, num_heads: int, **kwargs) -> None:
        super().__init__(**kwargs)
        check_sizes(num_heads=num_heads)
        self.num_heads = num_heads

    def build(self, input_shape) -> None:
        width = input_shape["query"][-1]
        check_heads(self.num_heads, width)
        self._query, self._key, self._value, self._output = (
            built(
                keras.layers.Dense(
                    width, use_bias=False, name=name, dtype=self.dtype_policy
                ),
                [None, width],
            )
            for name in ("query", "key", "value", "output")
        )
        super().build(input_shape)

    def call(self, inputs, include_self=False):
        query = self._heads(self._query, inputs["query"])  # [B, H, Q, d]
        key, value = (
            self._heads(project, inputs["context"])
            for project in (self._key, self._value)
        )
        if "chosen" in inputs:
            # Every query has keys and values of its own: [B, H, Q, K, d].
            key, value = (
                tf.gather(x, inputs["chosen"], axis=2, batch_dims=1)
                for x in (key, value)
            )
            mask = inputs["mask"][:, None, :, None, :]
            heads = attention.attend(query[..., None, :], key, value, mask)
            return self._output(attention.join_heads(tf.squeeze(heads, 3)))
        own = None
        if include_self:
            own = tuple(
                self._heads(project, inputs["query"])
                for project in (self._key, self._value)
            )
        mask = inputs["mask"][:, None, :, :]
        heads = attention.attend(query, key, value, mask, own)
        return self._output(attention.join_heads(heads))

    def _heads(self, project, vectors):
        return attention.split_heads(project(vectors), self.num_heads)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}
