"""What every kind of feature is to a layer."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from tfadrec.core.door import keras, tf

Spec = Mapping[str, Any]


class Field(keras.layers.Layer):
    """One feature: its columns to a vector, or to a scalar, for each place.

    Attributes:
      is_scalar: whether `call` gives a number, float32 [...] with nan where it
        is missing, instead of a vector, float [..., `size`].
      is_projected: whether the vector has a width of its own, and has to be
        projected where all fields of an entity must have one width.

    Args:
      feature: as from `Feature.spec`.
      width: D, of an embedding.
      initializer: of an embedding.
    """

    is_scalar: ClassVar[bool] = False
    is_projected: ClassVar[bool] = False

    def __init__(
        self, feature: Spec, width: int, initializer: str = "uniform", **kwargs
    ) -> None:
        # Numbers of any size come in: half precision may not hold them.
        super().__init__(autocast=False, **kwargs)
        self.feature = dict(feature)
        self.width = width
        self.initializer = initializer
        self._borrowed: Callable[[], Any] | None = None

    @staticmethod
    def columns(feature: Spec) -> dict[str, tuple[list[int], str]]:
        """The feature's own columns: name -> shape of one value, and dtype."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """The width of the vector that `call` gives."""
        return self.width

    @property
    def table(self):
        """The embedding, [codes, D], or None where there is none."""
        return None

    def borrow(self, table: Callable[[], Any]) -> None:
        """Uses another field's embedding; called before `build`."""
        # A function hides it from Keras, which would save it twice.
        self._borrowed = table

    @property
    def missing(self):
        """The vector of a missing value, [`size`]."""
        return tf.zeros([self.size])

    def call(self, columns):
        """See the class.

        Args:
          columns: tensors by name, leading axes [...] that go together.
        """
        raise NotImplementedError

    def _embedding(self):
        """A new embedding, or the borrowed one, whose width it then has."""
        if self._borrowed is not None:
            self.width = self._borrowed().shape[-1]
            return None
        return self.add_weight(
            "embedding",
            shape=[self.feature["num_codes"], self.width],
            initializer=_KnownOnly(self.initializer),
            experimental_autocast=False,
        )


class _KnownOnly(keras.initializers.Initializer):
    """Any initializer, but zeros for code 0, whose start is the average."""

    def __init__(self, initializer: str) -> None:
        self._initializer = keras.initializers.get(initializer)

    def __call__(self, shape, dtype=None, **kwargs):
        values = self._initializer(shape, dtype=dtype)
        known = tf.range(shape[0]) > 0
        return tf.where(known[:, None], values, 0)
