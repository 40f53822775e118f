"""One layer of PLE: experts of all tasks and of each."""

from collections.abc import Sequence

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built
from tfadrec.layers.multitask.experts import Experts
from tfadrec.layers.multitask.gates import Gates


@register
class CGC(keras.layers.Layer):
    """Customized gate control: rows [N, K + 1, F] to [N, K + 1, U].

    There is an input and an output of each task, and a shared one at the end.
    Task k mixes its own experts and the shared ones, S_k, and the shared
    output, which the next layer's shared experts read, mixes them all, S:

        g_k = softmax(W_k x_k) S_k;  g_s = softmax(W_s x_s) S

    Mask: none. Precision: the compute dtype, softmax in float32.

    Args:
      num_tasks: K.
      num_shared_experts: experts that all tasks mix.
      num_task_experts: experts of each task.
      hidden_units: see `Experts`.
      last: whether to leave out the shared output.

    Call args:
      inputs: float [N, K + 1, F], or [N, 1, F] where all are the same.

    Returns:
      float [N, K + 1, U], or [N, K, U] without the shared output.

    Example:
      >>> layer = CGC(2, 1, 1, (8,))
      >>> layer(tf.ones([5, 1, 4])).shape
      TensorShape([5, 3, 8])

    Reference:
      Tang et al., "Progressive Layered Extraction (PLE)", RecSys 2020, sections
      4.1 and 4.2, equations 1 to 4.
    """

    def __init__(
        self,
        num_tasks: int,
        num_shared_experts: int,
        num_task_experts: int,
        hidden_units: Sequence[int],
        *,
        last: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.num_tasks = num_tasks
        self.num_shared_experts = num_shared_experts
        self.num_task_experts = num_task_experts
        self.hidden_units = tuple(hidden_units)
        self.last = last

    def build(self, input_shape) -> None:
        tasks, own = self.num_tasks, self.num_task_experts
        shared, width = self.num_shared_experts, input_shape[-1]
        policy = self.dtype_policy

        def experts(name, groups, count):
            layer = Experts(
                groups, count, self.hidden_units, name=name, dtype=policy
            )
            return built(layer, [None, groups, width])

        def gates(name, groups, count):
            layer = Gates(groups, count, name=name, dtype=policy)
            return built(layer, [None, groups, width])

        self._own = experts("task_experts", tasks, own)
        self._shared = experts("shared_experts", 1, shared)
        self._gates = gates("task_gates", tasks, own + shared)
        if not self.last:
            self._shared_gate = gates("shared_gate", 1, tasks * own + shared)
        super().build(input_shape)

    def call(self, inputs):
        common = inputs.shape[1] == 1
        of_tasks, of_all = (
            (inputs if common else inputs[:, :-1]),
            inputs[:, -1:],
        )
        own = self._own(of_tasks)  # [N, K, M, U]
        shared = tf.squeeze(self._shared(of_all), 1)  # [N, S, U]
        gates = self._gates(of_tasks)  # [N, K, M + S]
        count = self.num_task_experts
        mixed = tf.einsum("nkm,nkmu->nku", gates[..., :count], own)
        mixed += tf.matmul(gates[..., count:], shared)
        if self.last:
            return mixed
        every = self.num_tasks * count
        own = tf.reshape(own, [-1, every, own.shape[-1]])
        gate = self._shared_gate(of_all)  # [N, 1, K M + S]
        on = tf.matmul(gate[..., :every], own)
        on += tf.matmul(gate[..., every:], shared)
        return tf.concat([mixed, on], axis=1)

    def get_config(self):
        return {
            **super().get_config(),
            "num_tasks": self.num_tasks,
            "num_shared_experts": self.num_shared_experts,
            "num_task_experts": self.num_task_experts,
            "hidden_units": list(self.hidden_units),
            "last": self.last,
        }
