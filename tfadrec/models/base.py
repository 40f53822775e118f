"""What every model here shares: loss, training step, metrics."""

import inspect
from collections.abc import Mapping
from typing import Any

import tensorflow_recommenders as tfrs

from tfadrec import losses as losses_of_tasks
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest
from tfadrec.metrics import from_name
from tfadrec.models.compiled_model import CompiledModel
from tfadrec.models.op_by_op import runs_op_by_op
from tfadrec.models.training_step import training_step


class RankingModel(CompiledModel):
    """A tfrs model that trains as any Keras model does.

    It fills gaps of `tfrs.models.Model`: the training step scales the loss
    under `mixed_float16`, and `compile(loss=, loss_weights=, metrics=)` are
    heeded. There is one `tfrs.tasks.Ranking` per task; the loss is the weighted
    sum over tasks of the mean over the rows of the batch.

    Rows come one by one, [B], or as slates [B, C] with `candidate_mask`; what
    is not real has no part in losses and metrics.

    A subclass sets `tasks`, and its `call` gives a dict of task -> float32
    logits, or means of real labels, and with `as_outputs` what losses read.
    Anything else in it is predicted, and neither trained on nor measured here.

    Args:
      tasks: names of the labels to predict.
      losses: task -> what `tfadrec.losses.get` takes; binary cross-entropy by
        default.
      loss_weights: task -> weight, > 0; 1 by default.
      row_weights: task -> the label that weighs its rows in the loss, beside
        weights that the batches have.

    Raises:
      ValueError: where losses or weights are of no task, or a weight is not
        above 0.
    """

    def __init__(
        self,
        tasks: tuple[str, ...],
        losses: Mapping[str, Any] | None = None,
        loss_weights: Mapping[str, float] | None = None,
        row_weights: Mapping[str, str] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = tuple(tasks)
        losses = losses or {}
        self._given_weights = dict(loss_weights or {})
        self._check_tasks("losses", losses)
        self._check_weights(self._given_weights)
        self.row_weights = dict(row_weights or {})
        self._check_tasks("row_weights", self.row_weights)
        self.task_losses = {
            task: losses_of_tasks.get(losses.get(task, "binary"))
            for task in self.tasks
        }
        self._loss_mean = keras.metrics.Mean("loss")

    def compile(
        self,
        optimizer="adagrad",
        loss=None,
        metrics=None,
        loss_weights=None,
        weighted_metrics=None,
        group_gap=None,
        **kwargs,
    ):
        """Sets how the model is trained.

        Args:
          optimizer: any Keras optimiser.
          loss: in place of the model's own losses: a Keras loss on logits, or
            task -> loss. Losses of several outputs belong to the constructor,
            since the heads are made for them.
          metrics: Keras metrics of logits or means, or task -> metrics; `auc`
            is the one that has a name.
          loss_weights: in place of the model's own: task -> weight.
          weighted_metrics: as `metrics`, with the weights of rows.
          group_gap: a `losses.GroupGap`, added to the loss of the first task in
            training alone. It is not saved with the model.
          **kwargs: as for any Keras model.

        Raises:
          ValueError: where a loss does not fit the outputs of its head, or a
            weight or a metric is of no task.
        """
        super().compile(
            optimizer,
            loss=loss,
            metrics=_metrics(metrics),
            weighted_metrics=_metrics(weighted_metrics),
            loss_weights=loss_weights,
            **kwargs,
        )
        if group_gap and not self.task_losses[self.tasks[0]].is_binary:
            raise ValueError(
                "`group_gap` must be of a label of 0 and 1. Received: the task "
                f"{self.tasks[0]!r}, of amounts."
            )
        self._group_gap = group_gap
        for name, of_tasks in (
            ("metrics", metrics),
            ("weighted_metrics", weighted_metrics),
        ):
            if isinstance(of_tasks, Mapping):
                self._check_tasks(name, of_tasks)
        given = loss_weights or {}
        if not isinstance(given, Mapping):
            raise ValueError(
                "`loss_weights` must be task -> weight. Received: "
                f"{loss_weights!r}."
            )
        self._check_weights(given)
        weights = {**self._given_weights, **given}
        self._loss_weights = {t: weights.get(t, 1.0) for t in self.tasks}
        losses = loss if isinstance(loss, Mapping) else {}
        self._check_tasks("loss", losses)
        self._ranking_tasks = {
            task: tfrs.tasks.Ranking(
                loss=_per_row(
                    self.task_losses[task],
                    losses.get(task) if losses else loss,
                )
            )
            for task in self.tasks
        }

    def fit(self, *args, class_weight=None, **kwargs):
        """As of any Keras model, without `class_weight`.

        Raises:
          ValueError: where there is a `class_weight`.
        """
        if class_weight is not None:
            raise ValueError(
                "classes have no weights, since a model may have several "
                f"tasks. Received: class_weight={class_weight}. Give rows "
                "weights (`weight` of a dataset, or a third member of the "
                "batches), or tasks (`loss_weights`)."
            )
        return super().fit(*args, **kwargs)

    def make_train_function(self, force=False):
        """As of any Keras model; the optimizer has its variables before.

        TensorFlow traces a step that makes variables a second time.
        """
        new = isinstance(self.optimizer, keras.optimizers.Optimizer)
        if self.built and new:
            self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def _check_tasks(self, what, given):
        unknown = sorted(set(given) - set(self.tasks))
        if unknown:
            raise ValueError(
                f"`{what}` must be of the tasks {', '.join(self.tasks)}. "
                f"Received: {', '.join(map(str, unknown))}."
                f"{nearest(unknown, self.tasks)}"
            )

    def _check_weights(self, weights):
        self._check_tasks("loss_weights", weights)
        for task, weight in weights.items():
            is_number = isinstance(weight, int | float)
            if not is_number or not 0 <= weight < float("inf"):
                raise ValueError(
                    "`loss_weights` must be numbers >= 0. Received: "
                    f"{weight!r} for {task!r}."
                )
        learned = [task for task in self.tasks if weights.get(task, 1.0)]
        if self.tasks and not learned:
            raise ValueError(
                "`loss_weights` must leave a task that is learned. Received: "
                f"0 for {', '.join(self.tasks)}."
            )

    def answers(self, outputs):
        """What is answered for what losses read.

        Args:
          outputs: dict of task -> float32, and of what else is predicted.

        Returns:
          Dict of task -> float32 logits, or means of real labels.
        """
        answers = dict(outputs)
        for task, loss in self.task_losses.items():
            as_answer = loss.score if loss.is_binary else loss.expected
            answers[task] = as_answer(outputs[task])
        return answers

    def twin(self):
        """A copy of the model, built and compiled, with weights of its own."""
        twin = type(self).from_config(self.get_config())
        twin.build()
        twin.compile_from_config(self.get_compile_config())
        twin._group_gap = self._group_gap
        return twin

    def predict(self, x, batch_size=None, verbose=0, **kwargs):
        """As of any Keras model, but quiet by default.

        A single batch is predicted op by op where there is no graph yet: to
        make one takes as long as some twenty batches.

        Returns:
          Dict of task -> float32 logits [n], and what else `call` gives.
        """
        is_plain = batch_size is None and not verbose and not kwargs
        has_graph = self.predict_function is not None
        if (
            is_plain
            and _is_one_batch(x)
            and not has_graph
            and runs_op_by_op(self)
        ):
            return {k: v.numpy() for k, v in self.predict_step(*x).items()}
        return super().predict(x, batch_size, verbose, **kwargs)

    def compute_loss(self, inputs, training: bool = False) -> tf.Tensor:
        """The loss of one batch; updates the metrics.

        Args:
          inputs: `(inputs, labels)` or `(inputs, labels, sample_weight)`, as
            `Dataset.batches` gives them; the weights may be task -> weights.
          training: whether the model is in training mode.

        Returns:
          float32 scalar.
        """
        x, labels, weight = keras.utils.unpack_x_y_sample_weight(inputs)
        mask = x.get("candidate_mask")
        outputs = self(x, training=training, as_outputs=True)
        answers = self.answers(outputs)
        losses = []
        for task in self.tasks:
            per_row = self._ranking_tasks[task](
                (labels[task], mask),
                outputs[task],
                sample_weight=self._weights_of(task, labels, weight),
                training=training,
            )
            losses.append(self._loss_weights[task] * _mean(per_row, mask))
        loss = tf.add_n(losses)
        self._loss_mean.update_state(loss)
        if training and self._group_gap is not None:
            task = self.tasks[0]
            codes = self.codes_of(x, self._group_gap.field)
            loss += self._group_gap(answers[task], codes, labels[task], mask)
        measured = {task: answers[task] for task in self.tasks}
        if mask is not None:
            for values in measured.values():
                # Where Keras' metrics look for a mask.
                values._keras_mask = mask
        self.compiled_metrics.update_state(
            {task: labels[task] for task in self.tasks}, measured, weight
        )
        return loss

    def _weights_of(self, task, labels, given):
        """The weights of a task's rows, or None where all count once."""
        if isinstance(given, Mapping):
            given = given.get(task)
        if task not in self.row_weights:
            return given
        own = labels[self.row_weights[task]]
        return own if given is None else own * tf.cast(given, own.dtype)

    def codes_of(self, inputs, field):
        """The code of a category in each row, int32, shaped as the labels.

        Args:
          inputs: as `Dataset.batches` gives them.
          field: the tensor's name.
        """
        codes = inputs[field]
        if inputs["candidate_ads"].shape.rank > codes.shape.rank:
            codes = codes[:, None] + tf.zeros_like(inputs["candidate_ads"])
        return codes

    def train_step(self, inputs):
        """One step of gradient descent on one batch."""
        return training_step(self, inputs)

    def test_step(self, inputs):
        """Loss and metrics of one batch."""
        self.compute_loss(inputs, training=False)
        return {metric.name: metric.result() for metric in self.metrics}


def _is_one_batch(x):
    return isinstance(x, tf.data.Dataset) and int(x.cardinality()) == 1


def _per_row(loss, given):
    """The loss of each row, which is to be averaged over the batch."""
    if given is not None and not isinstance(given, losses_of_tasks.TaskLoss):
        _refuse_probabilities(given)
        given = keras.losses.get(given)
    if isinstance(given, losses_of_tasks.TaskLoss):
        if given.num_outputs != loss.num_outputs:
            raise ValueError(
                f"`loss` must read {loss.num_outputs} output(s) of its head. "
                f"Received: {given.name!r}, which reads {given.num_outputs}. "
                "Give it to the model's constructor, as `losses`."
            )
        loss, given = given, None

    def weighted(y_true, y_pred, sample_weight=None):
        labels, mask = y_true
        if given is None:
            losses = loss.per_row(labels, y_pred, mask, sample_weight)
        else:
            function = getattr(given, "call", given)
            # Keras takes the last axis for that of the classes.
            losses = function(labels[..., None], y_pred[..., None])
        if sample_weight is None:
            return losses
        return losses * tf.cast(sample_weight, losses.dtype)

    return weighted


def _refuse_probabilities(given):
    """Refuses a Keras loss that takes logits for probabilities."""
    loss = keras.losses.get(given)
    settings = getattr(loss, "_fn_kwargs", {})
    if callable(loss) and not isinstance(loss, keras.losses.Loss):
        parameters = inspect.signature(loss).parameters
        settings = {n: each.default for n, each in parameters.items()}
    if settings.get("from_logits") is False:
        raise InputError(
            "`loss` must read logits. Received: "
            f"{given if isinstance(given, str) else type(given).__name__!r}, "
            "which reads probabilities. Leave it out for binary cross-entropy, "
            "or pass an object with from_logits=True."
        )


def _mean(per_row, mask):
    """The mean over real rows."""
    if mask is None:
        return tf.reduce_mean(per_row)
    real = tf.cast(mask, per_row.dtype)
    return tf.reduce_sum(per_row * real) / tf.reduce_sum(real)


def _metrics(metrics):
    """The metrics, those made that are given by name."""
    if isinstance(metrics, str):
        return from_name(metrics)
    if isinstance(metrics, Mapping):
        return {task: _metrics(of_task) for task, of_task in metrics.items()}
    if isinstance(metrics, list | tuple):
        return [_metrics(metric) for metric in metrics]
    return metrics
