"""LoRA and AdaLoRA: small products beside a model's matrices."""

from collections.abc import Mapping

from tfadrec.core.door import keras, tf
from tfadrec.layers.text.tuning.ways import LoRA
from tfadrec.ops.custom_gradient import custom_gradient

_BETA = 0.85
_GAMMA = 0.1

#: A matrix: its block, and its name there.
Place = tuple[int, str]


class LowRank(keras.layers.Layer):
    """The weights of `LoRA`, whose docstring has the formulas.

    Sensitivities are noted where a gradient is computed in training, once per
    use of a matrix. Those that are not finite, which loss scaling skips, are
    left out.

    Args:
      sizes: [D, E] of each matrix.
      settings: rank, alpha, and how ranks fall.
    """

    def __init__(
        self, sizes: Mapping[Place, tuple[int, int]], settings: LoRA, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self._settings = settings
        self._sizes = tuple(sizes.items())
        self._order = {place: i for i, (place, _) in enumerate(self._sizes)}

    @property
    def _adapts(self) -> bool:
        return self._settings.final_rank is not None

    def build(self, input_shape) -> None:
        rank = self._settings.rank
        names = ("p", "q") if self._adapts else ("a", "b")
        first, second = (
            ("orthogonal", "orthogonal")
            if self._adapts
            else ("he_uniform", "zeros")
        )
        self._left, self._right, self._scales = [], [], []
        for (block, matrix), (before, after) in self._sizes:
            name = f"block_{block}/{matrix}"
            self._left.append(
                self.add_weight(
                    f"{name}/{names[0]}",
                    [before, rank],
                    initializer=first,
                    regularizer=_columns_apart if self._adapts else None,
                )
            )
            self._right.append(
                self.add_weight(
                    f"{name}/{names[1]}",
                    [rank, after],
                    initializer=second,
                    regularizer=_rows_apart if self._adapts else None,
                )
            )
            if self._adapts:
                self._scales.append(
                    self.add_weight(
                        f"{name}/l",
                        [rank],
                        initializer="zeros",
                        dtype=tf.float32,
                        experimental_autocast=False,
                        aggregation=tf.VariableAggregation.MEAN,
                    )
                )
        if self._adapts:
            self._build_allocation()
        super().build(input_shape)

    def _build_allocation(self) -> None:
        """What is noted from step to step, for each weight two averages."""

        def state(name, shape, initializer="zeros", dtype="float32"):
            return self.add_weight(
                f"allocation/{name}",
                shape,
                initializer=initializer,
                dtype=dtype,
                trainable=False,
                experimental_autocast=False,
                aggregation=tf.VariableAggregation.MEAN,
            )

        self._step = self.add_weight(
            "allocation/step",
            [],
            initializer="zeros",
            dtype=tf.int64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        count = len(self._sizes)
        self._kept = state("kept", [count, self._settings.rank], "ones")
        self._averages = [
            [
                [
                    state(f"{kind}_{part}_{i}", weights[i].shape)
                    for i in range(count)
                ]
                for kind in ("sensitivity", "uncertainty")
            ]
            for part, weights in enumerate(self._parts)
        ]

    @property
    def _parts(self):
        return self._left, self._scales, self._right

    def adapter_weights(self) -> list[tf.Variable]:
        """All that decides the outputs."""
        kept = [self._kept] if self._adapts else []
        return [*self.trainable_weights, *kept]

    def begin_step(self) -> None:
        """Counts a step of training, and leaves out what has to go."""
        if not self._adapts:
            return
        settings, count = self._settings, len(self._sizes)
        step = tf.cast(self._step.assign_add(1, read_value=True), tf.float32)
        assert settings.final_rank is not None  # as it adapts
        assert settings.last_step is not None
        first, last = settings.first_step, settings.last_step
        share = tf.clip_by_value((step - first) / (last - first), 0.0, 1.0)
        most, least = settings.rank * count, settings.final_rank * count
        budget = least + (most - least) * (1 - share) ** 3
        scores = tf.reshape(self._scores(), [-1])
        places = tf.argsort(
            tf.argsort(scores, direction="DESCENDING", stable=True)
        )
        is_kept = places < tf.cast(tf.math.ceil(budget), tf.int32)
        kept = tf.reshape(is_kept, [count, settings.rank])
        kept = tf.where(step <= last, tf.cast(kept, tf.float32), self._kept)
        # Before ranks fall nothing has been noted to tell them apart.
        kept = tf.where(step > first, kept, 1.0)
        self._kept.assign(kept)
        for scale, own in zip(self._scales, tf.unstack(kept), strict=True):
            scale.assign(scale * own)

    def _scores(self) -> tf.Tensor:
        """The sensitivity of each triplet, [matrices, rank]."""
        left, scales, right = (
            [
                tf.convert_to_tensor(one) * two
                for one, two in zip(*part, strict=True)
            ]
            for part in self._averages
        )
        return tf.stack(
            [
                tf.reduce_mean(p, 0) + scale + tf.reduce_mean(q, 1)
                for p, scale, q in zip(left, scales, right, strict=True)
            ]
        )

    def call(self, inputs, place, training=None):
        """What a matrix gives more: rows [R, D] to [R, E]."""
        i = self._order[place]
        left, right = self._left[i], self._right[i]
        if not self._adapts:
            hidden = tf.matmul(inputs, tf.cast(left, inputs.dtype))
        else:
            scales = self._scales[i] * self._kept[i]
            if training:
                left = self._noted(0, i, left)
                scales = self._noted(1, i, scales)
                right = self._noted(2, i, right)
            hidden = tf.matmul(inputs, tf.cast(left, inputs.dtype))
            hidden *= tf.cast(scales, inputs.dtype)
        more = tf.matmul(hidden, tf.cast(right, inputs.dtype))
        return more * (self._settings.alpha / self._settings.rank)

    def product(self, place: Place) -> tf.Tensor:
        """What is added to a matrix, float32 [D, E]."""
        i = self._order[place]
        left = tf.cast(self._left[i], tf.float32)
        if self._adapts:
            left = left * (self._scales[i] * self._kept[i])
        product = tf.matmul(left, tf.cast(self._right[i], tf.float32))
        return product * (self._settings.alpha / self._settings.rank)

    def _noted(self, part: int, i: int, weight) -> tf.Tensor:
        """The weight; its gradient, once computed, is noted."""
        sensitivity, uncertainty = (kind[i] for kind in self._averages[part])

        @custom_gradient
        def read(value):
            def grad(upstream):
                new = tf.abs(tf.cast(value * upstream, tf.float32))
                new = tf.where(tf.math.is_finite(new), new, sensitivity)
                mean = _BETA * sensitivity + (1 - _BETA) * new
                spread = _BETA * uncertainty + (1 - _BETA) * tf.abs(new - mean)
                sensitivity.assign(mean)
                uncertainty.assign(spread)
                return upstream

            return tf.identity(value), grad

        return read(tf.convert_to_tensor(weight))


def _columns_apart(p: tf.Tensor) -> tf.Tensor:
    """Gamma |P' P - 1|^2 (Zhang et al., 2023, equation 4)."""
    p = tf.cast(p, tf.float32)
    square = tf.matmul(p, p, transpose_a=True)
    return _GAMMA * tf.reduce_sum(tf.square(square - tf.eye(p.shape[1])))


def _rows_apart(q: tf.Tensor) -> tf.Tensor:
    """Gamma |Q Q' - 1|^2."""
    return _columns_apart(tf.transpose(q))
