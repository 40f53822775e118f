"""One step of gradient descent, as the models here take it."""

from typing import Any

from tfadrec.core.door import tf
from tfadrec.layers.dynamic_id_embedding import DynamicIdEmbedding


def training_step(model: Any, inputs: Any) -> dict[str, tf.Tensor]:
    """Minimises the model's loss on one batch; the loss is scaled where needed.

    Where an id took over the row of another one, the optimiser forgets what it
    knew of that row.

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
    for part in model.submodules:
        if isinstance(part, DynamicIdEmbedding):
            _forget(model, part.table, part.taken)
    model.optimizer.minimize(total, model.trainable_variables, tape=tape)
    return {metric.name: metric.result() for metric in model.metrics}


def _forget(model: Any, table: tf.Variable, rows: tf.Tensor) -> None:
    """Has the moments of some rows of a weight begin again."""
    with tf.init_scope():  # there are none before
        model.optimizer.build(model.trainable_variables)
    # A moment is called as its weight is, after the name of its own.
    ending = f"/{table.name.partition(':')[0]}"
    for moment in model.optimizer.variables:
        if moment.name.partition(":")[0].endswith(ending):
            zeros = tf.zeros([tf.size(rows), *moment.shape[1:]], moment.dtype)
            moment.scatter_update(tf.IndexedSlices(zeros, rows))
