"""What every model here shares: loss, training step, metrics."""

from collections.abc import Mapping

import tensorflow_recommenders as tfrs

from tfadrec.core.door import keras, tf
from tfadrec.models.training_step import training_step


class RankingModel(tfrs.models.Model):
    """A tfrs model that trains as any Keras model does.

    It fills two gaps of `tfrs.models.Model`: the training step scales the loss
    under `mixed_float16`, and `compile(loss=, metrics=)` are heeded. There is
    one `tfrs.tasks.Ranking` per task; the loss is the sum over tasks of the
    mean over the batch.

    A subclass sets `tasks`, and its `call` gives a dict of task -> float32
    logits. Logits of anything else in it are predicted, and neither trained on
    nor measured here.

    Args:
      tasks: names of the labels to predict.
    """

    def __init__(self, tasks: tuple[str, ...], **kwargs) -> None:
        super().__init__(**kwargs)
        self.tasks = tuple(tasks)
        self._loss_mean = keras.metrics.Mean("loss")

    def compile(self, optimizer="adagrad", loss=None, metrics=None, **kwargs):
        """Sets how the model is trained.

        Args:
          optimizer: any Keras optimiser.
          loss: a Keras loss on logits, or task -> loss; binary cross-entropy
            by default.
          metrics: Keras metrics on logits, or task -> metrics.
          **kwargs: as for any Keras model.
        """
        super().compile(optimizer, loss=loss, metrics=metrics, **kwargs)
        losses = loss if isinstance(loss, Mapping) else {}
        self._ranking_tasks = {
            task: tfrs.tasks.Ranking(loss=_per_row(losses.get(task, loss)))
            for task in self.tasks
        }

    def get_compile_config(self):
        """What `compile` was called with."""
        # Keras compiles a reloaded model only where both methods are here.
        return super().get_compile_config()

    def compile_from_config(self, config):
        """Compiles a reloaded model as the saved one was."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def predict(self, x, batch_size=None, verbose=0, **kwargs):
        """As of any Keras model, but quiet by default.

        Returns:
          Dict of task -> float32 logits [n], and what else `call` gives.
        """
        return super().predict(x, batch_size, verbose, **kwargs)

    def compute_loss(self, inputs, training: bool = False) -> tf.Tensor:
        """The loss of one batch; updates the metrics.

        Args:
          inputs: `(inputs, labels)` or `(inputs, labels, sample_weight)`, as
            `Dataset.batches` gives them.
          training: whether the model is in training mode.

        Returns:
          float32 scalar.
        """
        x, labels, weight = keras.utils.unpack_x_y_sample_weight(inputs)
        labels = {task: labels[task] for task in self.tasks}
        outputs = self(x, training=training)
        logits = {task: outputs[task] for task in self.tasks}
        loss = tf.add_n(
            [
                tf.reduce_mean(
                    self._ranking_tasks[task](
                        # Keras takes the last axis for that of the classes.
                        labels[task][..., None],
                        logits[task][..., None],
                        sample_weight=weight,
                        training=training,
                    )
                )
                for task in self.tasks
            ]
        )
        self._loss_mean.update_state(loss)
        self.compiled_metrics.update_state(labels, logits, weight)
        return loss

    def train_step(self, inputs):
        """One step of gradient descent on one batch."""
        return training_step(self, inputs)

    def test_step(self, inputs):
        """Loss and metrics of one batch."""
        self.compute_loss(inputs, training=False)
        return {metric.name: metric.result() for metric in self.metrics}


def _per_row(loss):
    """The loss, not yet averaged over the batch."""
    if loss is None:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
    loss = keras.losses.get(loss)
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss

    def weighted(y_true, y_pred, sample_weight=None):
        losses = function(y_true, y_pred)  # [B]
        if sample_weight is None:
            return losses
        return losses * tf.cast(sample_weight, losses.dtype)

    return weighted
