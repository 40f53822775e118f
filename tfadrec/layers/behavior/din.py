"""Behaviour as what matters for the ad at hand: Deep Interest Network."""

import functools
from collections.abc import Sequence

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count
from tfadrec.layers.behavior.checks import EVENTS_AND_TARGET
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.dice import Dice
from tfadrec.ops import blocks, masking, watched, xla


@register
class DIN(CheckedLayer):
    """Weighs each event by its relevance to each candidate, to [B, C, D].

    The local activation unit of Zhou et al. (2018), section 4.3, equation 3,
    with the product form of its inputs:

        a_t = MLP([q, k_t, q - k_t, q * k_t]);  out = sum_t a_t k_t

    over events k_1..k_T and a candidate q. As in the paper the weights are not
    normalised, so their sum tells how strongly a user is interested. The first
    layer's kernel, applied to the concatenation, is a sum of kernels applied
    to the parts. The difference falls into q and k, and for a given candidate
    the product is linear in k_t as well:

        W [q, k, q - k, q * k] = (W_q + W_d) q + (W_k - W_d + W_p diag(q)) k

    So one kernel is made per candidate, and a pair costs a single product of
    k_t with it. The kernels of a user's candidates stand side by side: a user
    with C candidates is one matrix product [T, D] [D, C H]. In the same way a
    kernel can be made per event, and is where events are fewer. Pairs are
    worked on in blocks that fit a cache (`ops/blocks.py`); with Dice, all at
    once.

    Mask: padding has no weight; an empty history gives zeros. Precision: the
    layer's compute dtype.

    Args:
      hidden_units: widths of the activation unit's hidden layers, each >= 1,
        at least one.
      activation: of the hidden layers: `dice` (the paper's), or any Keras
        activation.

    Call args:
      inputs: dict of `events`, float [B, T, D], `mask`, bool [B, T], True =
        real, and `target`, float [B, C, D].

    Returns:
      float [B, C, D].

    Raises:
      ValueError: where `hidden_units` is empty or has a width below 1.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> target = tf.ones([2, 5, 4])
      >>> inputs = {"events": events, "mask": mask, "target": target}
      >>> DIN()(inputs).shape
      TensorShape([2, 5, 4])

    Reference:
      Zhou et al., "Deep Interest Network for Click-Through Rate Prediction",
      KDD 2018, arXiv:1706.06978.
    """

    wants = EVENTS_AND_TARGET

    def __init__(
        self,
        hidden_units: Sequence[Count] = (80, 40),
        activation="relu",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not hidden_units or min(hidden_units) < 1:
            raise ValueError(
                "`hidden_units` must be widths >= 1, at least one. Received: "
                f"hidden_units={tuple(hidden_units)}."
            )
        self.hidden_units = tuple(hidden_units)
        self.activation = activation
        if activation != "dice":
            self.activation = keras.activations.get(activation)

    def build(self, input_shape) -> None:
        width = input_shape["events"][-1]
        first = self.hidden_units[0]
        self._query = self._dense("query", first, width)
        self._key = self.add_weight("key_kernel", [width, first])
        self._product = self.add_weight("product_kernel", [width, first])
        widths = (*self.hidden_units, 1)
        self._rest = [
            self._dense(f"hidden_{i}", units, widths[i])
            for i, units in enumerate(widths[1:])
        ]
        self._dices = []
        if self.activation == "dice":
            self._dices = [
                built(
                    Dice(name=f"dice_{i}", dtype=self.dtype_policy),
                    [None, units],
                )
                for i, units in enumerate(self.hidden_units)
            ]
        super().build(input_shape)

    def _dense(self, name, units, input_width):
        dense = keras.layers.Dense(units, name=name, dtype=self.dtype_policy)
        return built(dense, [None, input_width])

    def call(self, inputs, training=None):
        given = inputs["events"], inputs["mask"], inputs["target"]
        dense = [self._query, *self._rest]
        weights = [x for d in dense for x in (d.kernel, d.bias)]
        weights += [self._key, self._product]
        weights = [tf.convert_to_tensor(x) for x in weights]
        if self._dices:
            # Their averages are over all pairs, and they have weights.
            return self._interest(*given, *weights, training=training)
        # A row has one candidate: there is nothing to choose.
        is_slate = inputs["target"].shape[1] != 1
        work = functools.partial(
            self._interest, training=training, is_slate=is_slate
        )
        return blocks.map_pairs(work, *given, weights)

    def _activate(self, i, hidden, real, training):
        if self._dices:
            return self._dices[i](hidden, mask=real, training=training)
        return self.activation(hidden)

    def _interest(
        self, events, mask, target, *weights, training=None, is_slate=True
    ):
        *dense, key, product = weights
        (query, bias), *rest = zip(dense[::2], dense[1::2], strict=True)
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = masking.zero_padding(events, mask)
        batch, time, _ = tf.unstack(tf.shape(events))
        slate = tf.shape(target)[1]
        # XLA fixes shapes, which are other ones by event.
        can_choose = is_slate and not xla.is_compiling()
        by_event = slate > time if can_choose else False
        pairs = _either(
            by_event,
            (target, events, query, key),
            (events, target, key, query),
        )
        real = None
        if self._dices:
            real = _either(
                by_event,
                tf.tile(mask[:, None], [1, slate, 1]),
                tf.tile(mask[..., None], [1, 1, slate]),
            )
        pairs = *pairs, bias, product
        is_relu = self.activation is keras.activations.relu
        if can_choose and is_relu and not training:
            # The fused op ends the process where its kernel has no columns.
            hidden = tf.cond(
                tf.logical_and(batch == 1, time * slate > 0),
                lambda: _first_layer_of_one(*pairs),
                lambda: tf.nn.relu(_first_layer(*pairs)),
            )
        else:
            hidden = self._activate(0, _first_layer(*pairs), real, training)
        for i, (kernel, bias) in enumerate(rest):
            if i:
                hidden = self._activate(i, hidden, real, training)
            hidden = tf.nn.bias_add(hidden @ kernel, bias)
        weights = _either(
            by_event,
            tf.reshape(hidden, [batch, slate, time]),
            tf.linalg.matrix_transpose(
                tf.reshape(hidden, [batch, time, slate])
            ),
        )
        watched.attending(self.name, tf.where(mask[:, None], weights, 0))
        # Padding has weights, of events that are zero.
        return tf.matmul(weights, events)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_units": list(self.hidden_units),
            "activation": self.activation
            if self.activation == "dice"
            else keras.activations.serialize(self.activation),
        }


def _first_layer(rows, columns, row_kernel, column_kernel, bias, product):
    """The first layer of all pairs of a row and a column, in one product.

    Returns:
      [B rows columns, H].
    """
    batch, count, width = tf.unstack(tf.shape(columns))
    units = product.shape[-1]
    kernels, own = _kernels(columns, row_kernel, column_kernel, bias, product)
    kernels = tf.concat(
        [
            tf.reshape(kernels, [batch, width, count * units]),
            tf.reshape(own, [batch, 1, count * units]),
        ],
        axis=1,
    )
    # What a column gives alone is multiplied by a one behind each row.
    ones = [[0, 0], [0, 0], [0, 1]]
    hidden = tf.matmul(tf.pad(rows, ones, constant_values=1), kernels)
    return tf.reshape(hidden, [-1, units])


def _first_layer_of_one(
    rows, columns, row_kernel, column_kernel, bias, product
):
    """The same of one user, and ReLU: TensorFlow makes one op of the two.

    It does so with products of two dimensions and a bias behind.
    """
    width, units = product.shape
    kernels, own = _kernels(columns, row_kernel, column_kernel, bias, product)
    hidden = tf.reshape(rows, [-1, width]) @ tf.reshape(kernels, [width, -1])
    hidden = tf.nn.relu(tf.nn.bias_add(hidden, tf.reshape(own, [-1])))
    return tf.reshape(hidden, [-1, units])


def _kernels(columns, row_kernel, column_kernel, bias, product):
    """A column's kernel for rows, and what the column gives alone.

    Returns:
      [B, D, columns, H] and [B columns, H].
    """
    turned = tf.expand_dims(tf.linalg.matrix_transpose(columns), -1)
    kernels = turned * tf.expand_dims(product, 1)
    kernels += tf.expand_dims(row_kernel, 1)
    own = tf.reshape(columns, [-1, product.shape[0]]) @ column_kernel
    return kernels, tf.nn.bias_add(own, bias)


def _either(condition, one, other):
    """One of two, by a tensor or by what is known before."""
    if condition is False:
        return other
    return tf.cond(condition, lambda: one, lambda: other)
