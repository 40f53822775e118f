"""One step of gradient descent, as the models here take it."""

from typing import Any

from tfadrec.core.door import tf


def training_step(model: Any, inputs: Any) -> dict[str, tf.Tensor]:
    """Minimises the model's loss on one batch; the loss is scaled where needed.

    Args:
      model: a compiled Keras model with `compute_loss(inputs, training)`.
      inputs: one batch.

    Returns:
      The metrics' values by their names.
    """
    with tf.GradientTape() as tape:
        loss = model.compute_loss(inputs, training=True)
        total = tf.add_n([loss, *model.losses])
        # Gradients are summed over replicas, so each gives its share.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        total /= tf.cast(replicas, total.dtype)
    model.optimizer.minimize(total, model.trainable_variables, tape=tape)
    return {metric.name: metric.result() for metric in model.metrics}
