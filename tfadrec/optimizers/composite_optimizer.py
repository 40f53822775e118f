"""One optimiser made of several, each for a part of the weights."""

import re
from collections.abc import Mapping

from tfadrec.core.door import keras, register, tf


class _ScaledRate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a group, times that of the whole."""

    def __init__(self, rate, whole: "CompositeOptimizer") -> None:
        self.rate = rate
        self._whole = whole

    def __call__(self, step):
        rate = self.rate(step) if callable(self.rate) else self.rate
        return rate * tf.convert_to_tensor(self._whole.learning_rate)

    def get_config(self):
        return {"rate": self.rate}


@register
class CompositeOptimizer(keras.optimizers.Optimizer):
    r"""An optimiser and a learning rate for each group of weights.

    A weight belongs to the first group whose pattern is found in its name, and
    to the default where none is. Each optimiser has its own moments, clipping
    and weight decay, and sees its own weights only. Its learning rate becomes

        rate of the group x rate of the whole,

    where the rate of the whole is 1 at first, and is what callbacks and
    `training.fit` set. A step that loss scaling skips is not counted by the
    groups.

    Args:
      groups: regular expression -> Keras optimiser. The expression is looked
        for, as by `re.search`, in names such as
        `ad_ranker/ad_tower/id/embedding_and_bias`. The order counts.
      default: Keras optimiser of all other weights. These optimisers are the
        composite's from now on: use them for nothing else.
      learning_rate: of the whole: a factor, or a Keras schedule of it.
      name: of the optimiser.

    Raises:
      ValueError: where a pattern is no regular expression, or a group has no
        optimiser of its own; in `build`, where a group has no weight.

    Example:
      >>> kernel, bias = tf.Variable(1.0, name="kernel"), tf.Variable(1.0)
      >>> sgd = keras.optimizers.SGD
      >>> optimizer = CompositeOptimizer({"kernel": sgd(0.5)}, sgd(0.25))
      >>> ones = [tf.constant(1.0)] * 2
      >>> _ = optimizer.apply_gradients(zip(ones, [kernel, bias]))
      >>> kernel.numpy().item(), bias.numpy().item()
      (0.5, 0.75)
    """

    def __init__(
        self,
        groups: Mapping[str, keras.optimizers.Optimizer],
        default: keras.optimizers.Optimizer,
        learning_rate=1.0,
        name: str = "CompositeOptimizer",
    ) -> None:
        # Keras would decay every weight by zero.
        super().__init__(name, weight_decay=None)
        self._learning_rate = self._build_learning_rate(learning_rate)
        _check_patterns(groups)
        self.groups = dict(groups)
        self.default = default
        for optimizer in self._optimizers:
            self._take_over(optimizer)

    @property
    def _optimizers(self):
        return [*self.groups.values(), self.default]

    def _take_over(self, optimizer) -> None:
        """Makes an optimiser's rate a share of this one's."""
        rate = getattr(optimizer, "_learning_rate", None)
        if (
            not isinstance(optimizer, keras.optimizers.Optimizer)
            or rate is None
            or isinstance(rate, _ScaledRate)  # taken over before
        ):
            raise ValueError(
                "each group needs a Keras optimiser of its own, with a "
                f"learning rate. Received: {optimizer!r}."
            )
        if isinstance(rate, tf.Variable):
            rate = float(rate.numpy())
        del optimizer._learning_rate  # and its place in the checkpoint
        optimizer._learning_rate = optimizer._build_learning_rate(
            _ScaledRate(rate, self)
        )

    def build(self, var_list) -> None:
        if getattr(self, "_built", False):
            return
        super().build(var_list)
        names = [_name(variable) for variable in var_list]
        places = [_first_match(self.groups, name) for name in names]
        for place, pattern in enumerate(self.groups):
            if place not in places:
                raise ValueError(
                    "a pattern must be found in the name of a weight that no "
                    f"earlier pattern took. Received: {pattern!r}, and the "
                    f"weights {', '.join(names)}."
                )
        self._built = True
        self._places = dict(
            zip(map(self._var_key, var_list), places, strict=True)
        )
        for optimizer, own in self._shares(var_list):
            optimizer.build(own)
            self._variables.extend(optimizer.variables)

    def _shares(self, variables, key=lambda variable: variable):
        """Each optimiser with its own among the variables."""
        default = len(self.groups)
        shares = [[] for _ in self._optimizers]
        for item in variables:
            place = self._places.get(self._var_key(key(item)), default)
            shares[place].append(item)
        return zip(self._optimizers, shares, strict=True)

    def apply_gradients(
        self, grads_and_vars, name=None, skip_gradients_aggregation=False
    ):
        """Hands each gradient to the optimiser of its weight.

        Args:
          grads_and_vars: pairs of gradient and weight.
          name: of the scope of the operations.
          skip_gradients_aggregation: whether the gradients are summed over
            replicas already.

        Returns:
          The number of steps so far.

        Raises:
          ValueError: where no weight has a gradient.
        """
        pairs = list(grads_and_vars)
        with tf.init_scope():
            self.build([variable for _, variable in pairs])
        without = [_name(v) for gradient, v in pairs if gradient is None]
        if len(without) == len(pairs):
            raise ValueError(
                "a step needs a gradient of a weight. Received: none, of the "
                f"weights {', '.join(without)}."
            )
        if without:
            tf.get_logger().warning("No gradient of %s.", ", ".join(without))
        self._compute_current_learning_rate()
        given = [pair for pair in pairs if pair[0] is not None]
        for optimizer, own in self._shares(given, key=lambda pair: pair[1]):
            if own:
                optimizer.apply_gradients(own, name, skip_gradients_aggregation)
        return self.iterations.assign_add(1)

    def exclude_from_weight_decay(self, var_list=None, var_names=None) -> None:
        """As for any Keras optimiser, in every group."""
        for optimizer in self._optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list) -> None:
        """As for any Keras optimiser, in every group."""
        for optimizer, own in self._shares(var_list):
            optimizer.finalize_variable_values(own)

    # In a .keras file each of the optimisers keeps its variables itself.

    def save_own_variables(self, store) -> None:
        store["0"] = self.iterations.numpy()

    def load_own_variables(self, store) -> None:
        self.iterations.assign(store["0"])

    def get_config(self):
        return {
            "name": self.name,
            "groups": {
                pattern: _serialized(optimizer)
                for pattern, optimizer in self.groups.items()
            },
            "default": _serialized(self.default),
            "learning_rate": self._serialize_hyperparameter(
                self._learning_rate
            ),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        made = {
            pattern: keras.optimizers.deserialize(group, custom_objects)
            for pattern, group in config["groups"].items()
        }
        default = keras.optimizers.deserialize(
            config["default"], custom_objects
        )
        return super().from_config(
            {**config, "groups": made, "default": default}, custom_objects
        )


def _check_patterns(groups) -> None:
    if not isinstance(groups, Mapping):
        raise ValueError(
            "`groups` must give each pattern an optimiser. Received: "
            f"{groups!r}."
        )
    for pattern in groups:
        try:
            re.compile("" + pattern)
        except (re.error, TypeError) as error:
            raise ValueError(
                "a pattern must be a regular expression. Received: "
                f"{pattern!r}, {error}."
            ) from error


def _first_match(patterns, name: str) -> int:
    """The place of the first pattern that is found, else their number."""
    for place, pattern in enumerate(patterns):
        if re.search(pattern, name):
            return place
    return len(patterns)


def _name(variable) -> str:
    return variable.name.partition(":")[0]


def _serialized(optimizer):
    """The config of a group's optimiser, with the group's own rate."""
    serialized = keras.optimizers.serialize(optimizer)
    config = serialized["config"]
    config["learning_rate"] = config["learning_rate"]["config"]["rate"]
    return serialized
