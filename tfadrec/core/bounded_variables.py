"""A bound on the variables that are made, before memory is asked for."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

from tfadrec.core.door import tf


@contextlib.contextmanager
def bounded_variables(most: int) -> Iterator[None]:
    """Has variables refused that together hold more than some numbers.

    A variable is refused before its first values are made. One whose shape is
    not told is counted afterwards: TensorFlow needs its values to make it.

    Args:
      most: the numbers of all variables that are made in the body.

    Raises:
      ValueError: from what makes the variable that is too many.
    """
    total = 0

    def count(shape: Any) -> None:
        nonlocal total
        total += math.prod(tf.TensorShape(shape).as_list())
        if total > most:
            raise ValueError(
                f"its variables would hold more than {most:,} numbers"
            )

    def make(following: Callable[..., Any], **options: Any) -> Any:
        shape = options.get("shape")
        if shape is not None:
            count(shape)
            return following(**options)
        made = following(**options)
        count(made.shape)
        return made

    with tf.variable_creator_scope(make):
        yield
