"""Experts of all tasks and of each, in layers: progressive extraction."""

from collections.abc import Sequence

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Count, Parts
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.multitask.cgc import CGC
from tfadrec.layers.multitask.experts import check_sizes


@register
class PLE(CheckedLayer):
    """Mixes shared and own experts for each task: [..., F] to [..., K, U].

    In layer j, task k mixes its own experts and the shared ones, each of which
    has read what was mixed for its owner in layer j - 1 (x in the first):

        g_k^j = softmax(W_k^j g_k^{j-1}) [E_k^j(g_k^{j-1}), E_s^j(g_s^{j-1})]

    The shared experts' input g_s mixes the experts of all tasks. So a task has
    parameters that no other task pulls at, unlike in `MMoE`.

    Mask: none. Precision: the compute dtype, softmax in float32.

    Args:
      num_tasks: K, >= 1.
      num_shared_experts: experts of all tasks, in each layer, >= 1.
      num_task_experts: experts of each task, in each layer, >= 1.
      num_layers: >= 1; with one it is the paper's CGC.
      hidden_units: widths of an expert's layers, each >= 1, at least one; the
        last one is U.

    Call args:
      inputs: float [..., F].

    Returns:
      float [..., K, U].

    Raises:
      ValueError: where a size is below 1, or `hidden_units` is empty.

    Example:
      >>> PLE(num_tasks=2, hidden_units=(8,))(tf.ones([5, 4])).shape
      TensorShape([5, 2, 8])

    Reference:
      Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task
      Learning (MTL) Model for Personalized Recommendations", RecSys 2020,
      equations 1 to 4 (a layer) and 5 (their sequence).
    """

    wants = "float [..., F]"

    def __init__(
        self,
        num_tasks: Count,
        *,
        num_shared_experts: Parts = 2,
        num_task_experts: Parts = 2,
        num_layers: Parts = 2,
        hidden_units: Sequence[Count] = (64,),
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(
            hidden_units,
            num_tasks=num_tasks,
            num_shared_experts=num_shared_experts,
            num_task_experts=num_task_experts,
            num_layers=num_layers,
        )
        self.num_tasks = num_tasks
        self.num_shared_experts = num_shared_experts
        self.num_task_experts = num_task_experts
        self.num_layers = num_layers
        self.hidden_units = tuple(hidden_units)

    def build(self, input_shape) -> None:
        widths = [input_shape[-1]] + self.num_layers * [self.hidden_units[-1]]
        self._layers_of_experts = [
            built(
                CGC(
                    self.num_tasks,
                    self.num_shared_experts,
                    self.num_task_experts,
                    self.hidden_units,
                    last=i == self.num_layers - 1,
                    name=f"layer_{i}",
                    dtype=self.dtype_policy,
                ),
                [None, self.num_tasks + 1 if i else 1, widths[i]],
            )
            for i in range(self.num_layers)
        ]
        super().build(input_shape)

    def call(self, inputs):
        mixed = tf.reshape(inputs, [-1, 1, inputs.shape[-1]])
        for layer in self._layers_of_experts:
            mixed = layer(mixed)  # [N, K + 1, U], the last one [N, K, U]
        shape = [tf.shape(inputs)[:-1], mixed.shape[1:]]
        return tf.reshape(mixed, tf.concat(shape, axis=0))

    def get_config(self):
        return {
            **super().get_config(),
            "num_tasks": self.num_tasks,
            "num_shared_experts": self.num_shared_experts,
            "num_task_experts": self.num_task_experts,
            "num_layers": self.num_layers,
            "hidden_units": list(self.hidden_units),
        }
