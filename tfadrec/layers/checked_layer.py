"""What a layer refuses before it is built."""

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from tfadrec.core.door import keras, tf

#: First word of what is wanted -> whether a type is that.
_TYPES = {
    "bool": lambda dtype: dtype.is_bool,
    "float": lambda dtype: dtype.is_floating,
    "int": lambda dtype: dtype.is_integer,
}


class CheckedLayer(keras.layers.Layer):
    """A layer that says what it wants where it is given something else.

    What is wanted of a tensor is a type and axes: `bool [B, T]`. A letter is
    the same size wherever it stands, a number that size, and `...` any axes: at
    least one where letters follow, since rows without one would be taken for
    fields, or fields for rows.
    Only what is known when Python calls the layer is looked at, so a graph is
    the same without it.

    Attributes:
      wants: the one tensor, or name -> tensor of a dict, which may hold more.
      may_have: name -> tensor, of a dict's that may be left out.
    """

    wants: str | Mapping[str, str]
    may_have: Mapping[str, str] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As of any layer.

        Raises:
          ValueError: where the inputs are not what the layer wants.
        """
        if args:
            self._check(args[0])
        return super().__call__(*args, **kwargs)

    # Nothing of it is for AutoGraph to convert, which takes its time.
    @tf.autograph.experimental.do_not_convert
    def _check(self, inputs):
        wants = self.wants
        if isinstance(wants, str):
            if isinstance(inputs, Mapping):
                self._refuse(f"the input must be {wants}", "a dict")
            self._check_tensor("the input", inputs, wants, {})
            return
        described = ", ".join(f"`{k}`, {wanted}" for k, wanted in wants.items())
        if not isinstance(inputs, Mapping):
            kind = type(inputs).__name__
            self._refuse(f"the inputs must be a dict of {described}", kind)
        missing = [name for name in wants if name not in inputs]
        if missing:
            needed = ", ".join(f"`{name}`, {wants[name]}" for name in missing)
            received = ", ".join(sorted(map(str, inputs))) or "nothing"
            self._refuse(f"the inputs must have {needed}", received)
        sizes: dict[str, tuple[int, str]] = {}
        for name, wanted in {**wants, **self.may_have}.items():
            if inputs.get(name) is not None:
                self._check_tensor(f"`{name}`", inputs[name], wanted, sizes)

    def _check_tensor(self, what, tensor, wanted, sizes):
        if not hasattr(tensor, "shape"):
            tensor = self._as_array(what, tensor, wanted)
        shape, dtype = tf.TensorShape(tensor.shape), tf.as_dtype(tensor.dtype)
        received = f"{dtype.name} {_plain(shape)}"
        kind, _, axes = wanted.partition(" ")
        if not _TYPES[kind](dtype):
            self._refuse(f"{what} must be {wanted}", received)
        if shape.rank is None:
            return
        *any_axes, letters = axes.strip("[]").rpartition("...")
        letters = [axis for axis in letters.split(", ") if axis]
        if any_axes[-1]:
            fits = not letters or shape.rank > len(letters)
        else:
            fits = shape.rank == len(letters)
        if not fits:
            self._refuse(f"{what} must be {wanted}", received)
        for letter, size in zip(
            letters, shape[shape.rank - len(letters) :], strict=True
        ):
            known, where = sizes.get(letter, (None, ""))
            if letter.isdigit():
                known, where = int(letter), ""
            if None not in (known, size) and known != size:
                self._refuse(f"{what} must be {wanted}{where}", received)
            elif known is None and size is not None:
                sizes[letter] = size, f" with {letter} = {size}, as in {what}"

    def _as_array(self, what, given, wanted):
        """Numbers in lists, as an array."""
        try:
            return np.asarray(given)
        except ValueError:  # of several lengths
            self._refuse(f"{what} must be {wanted}", type(given).__name__)

    def _refuse(self, rule: str, received: str) -> NoReturn:
        raise ValueError(
            f"{type(self).__name__} {self.name!r}: {rule}. Received: "
            f"{received}."
        )


def _plain(shape):
    if shape.rank is None:
        return "of an unknown shape"
    sizes = ["?" if size is None else str(size) for size in shape]
    return f"[{', '.join(sizes)}]"
