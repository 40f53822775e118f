"""Shared experts, and a gate per task: multi-gate mixture of experts."""

from collections.abc import Sequence

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Count, Parts
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.multitask.experts import Experts, check_sizes
from tfadrec.layers.multitask.gates import Gates


@register
class MMoE(CheckedLayer):
    """Mixes shared experts anew for each task: [..., F] to [..., K, U].

    Over experts f_1..f_E, each a feed-forward network, task k reads

        f^k(x) = sum_e g^k(x)_e f_e(x);  g^k(x) = softmax(W_k x)

    and its own network, the head of a ranker, goes on from f^k(x).

    Mask: none. Precision: the compute dtype, softmax in float32.

    Args:
      num_tasks: K, >= 1.
      num_experts: E, >= 1.
      hidden_units: widths of an expert's layers, each >= 1, at least one; the
        last one is U.

    Call args:
      inputs: float [..., F].

    Returns:
      float [..., K, U].

    Raises:
      ValueError: where a size is below 1, or `hidden_units` is empty.

    Example:
      >>> MMoE(num_tasks=2, hidden_units=(8,))(tf.ones([5, 4])).shape
      TensorShape([5, 2, 8])

    Reference:
      Ma et al., "Modeling Task Relationships in Multi-task Learning with
      Multi-gate Mixture-of-Experts", KDD 2018, equations 6 to 8.
    """

    wants = "float [..., F]"

    def __init__(
        self,
        num_tasks: Count,
        *,
        num_experts: Parts = 4,
        hidden_units: Sequence[Count] = (64,),
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(hidden_units, num_tasks=num_tasks, num_experts=num_experts)
        self.num_tasks = num_tasks
        self.num_experts = num_experts
        self.hidden_units = tuple(hidden_units)

    def build(self, input_shape) -> None:
        shape = [None, 1, input_shape[-1]]
        self._experts = built(
            Experts(
                1,
                self.num_experts,
                self.hidden_units,
                name="experts",
                dtype=self.dtype_policy,
            ),
            shape,
        )
        self._gates = built(
            Gates(
                self.num_tasks,
                self.num_experts,
                name="gates",
                dtype=self.dtype_policy,
            ),
            shape,
        )
        super().build(input_shape)

    def call(self, inputs):
        rows = tf.reshape(inputs, [-1, 1, inputs.shape[-1]])
        experts = tf.squeeze(self._experts(rows), 1)  # [N, E, U]
        mixed = tf.matmul(self._gates(rows), experts)  # [N, K, U]
        shape = [tf.shape(inputs)[:-1], mixed.shape[1:]]
        return tf.reshape(mixed, tf.concat(shape, axis=0))

    def get_config(self):
        return {
            **super().get_config(),
            "num_tasks": self.num_tasks,
            "num_experts": self.num_experts,
            "hidden_units": list(self.hidden_units),
        }
