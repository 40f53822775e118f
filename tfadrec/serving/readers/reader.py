"""What every kind of feature is to a request."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature

#: Name after the feature's -> the shape of one value, and its type.
Parts = dict[str, tuple[list[int | None], tf.DType]]
#: What a part holds where nothing is known.
EMPTY = {tf.string: "", tf.float32: 0.0, tf.float64: np.nan, tf.int32: 0}


class Reader(tf.Module):
    """One feature: raw values of a request to what a model reads.

    A value that is empty, unknown or unreadable is a missing one: no value of a
    request is refused.

    Attributes:
      is_list: whether one value has any number of entries.

    Args:
      feature: as a schema holds it.
    """

    is_list: ClassVar[bool] = False

    def __init__(self, feature: Feature) -> None:
        super().__init__()
        self.feature = feature

    def parts(self) -> Parts:
        """The feature's inputs, by what follows its name in theirs."""
        raise NotImplementedError

    def read(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What `tfadrec.data.features.encode` makes of the same values.

        Args:
          raw: tensors [...] by the names of `specs` without a prefix.

        Returns:
          Tensors [...] by the names of the feature's columns.
        """
        raise NotImplementedError

    def together(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The feature's own inputs, which must have one shape.

        Args:
          raw: as for `read`.

        Raises:
          tf.errors.InvalidArgumentError: where they have several.
        """
        first, *others = names = [
            f"{self.feature.tensor}{suffix}" for suffix in self.parts()
        ]
        checks = [
            tf.debugging.assert_equal(
                tf.shape(raw[name]),
                tf.shape(raw[first]),
                message=f"`{name}` must have an entry for each of `{first}`",
            )
            for name in others
        ]
        with tf.control_dependencies(checks):
            return {name: tf.identity(raw[name]) for name in names}

    def is_given(self, raw: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Where there is a value, known or not; bool [...].

        Args:
          raw: as for `read`.
        """
        raise NotImplementedError

    def specs(
        self, leading: Sequence[int | None], prefix: str = ""
    ) -> dict[str, tf.TensorSpec]:
        """The feature's inputs of a signature.

        Args:
          leading: sizes of the axes before those of one value.
          prefix: of the names.
        """
        return {
            name: tf.TensorSpec([*leading, *shape], dtype, name)
            for name, (shape, dtype) in (
                (f"{prefix}{self.feature.tensor}{suffix}", part)
                for suffix, part in self.parts().items()
            )
        }

    def empty(self, leading: tf.Tensor) -> dict[str, tf.Tensor]:
        """Raw values where nothing is known.

        Args:
          leading: int32, the sizes of the axes before those of one value.

        Returns:
          Tensors [...] as for `read`; lists have no entries.
        """
        made = {}
        for suffix, (shape, dtype) in self.parts().items():
            own = np.array([size or 0 for size in shape], np.int32)
            made[self.feature.tensor + suffix] = tf.fill(
                tf.concat([leading, own], 0),
                tf.constant(EMPTY[dtype], dtype),
            )
        return made


def first_entries(
    columns: Mapping[str, tf.Tensor], keep: tf.Tensor, width: int
) -> dict[str, tf.Tensor]:
    """The first entries of lists that are kept, filled up with 0.

    Args:
      columns: tensors [..., L] by name.
      keep: bool [..., L].
      width: W, how many entries are given.

    Returns:
      Tensors [..., W] by name.
    """
    length = tf.shape(keep)[-1]
    # The earlier an entry, the higher it ranks; 0 is one that is left out.
    rank = tf.where(keep, length - tf.range(length), 0)
    ranks, places = tf.math.top_k(rank, tf.minimum(length, width))
    axes = keep.shape.rank - 1
    behind = [[0, 0]] * axes + [[0, tf.maximum(width - length, 0)]]
    found = {}
    for name, values in columns.items():
        values = tf.gather(values, places, batch_dims=axes)
        values = tf.where(ranks > 0, values, tf.zeros([], values.dtype))
        values = tf.pad(values, behind)
        values.set_shape([*keep.shape[:-1], width])
        found[name] = values
    return found


def as_leading(mask: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """A mask [...] with axes of size 1 behind, to go with values [..., *]."""
    ones = [1] * (values.shape.rank - mask.shape.rank)
    return tf.reshape(mask, tf.concat([tf.shape(mask), ones], 0))
