"""What several signatures have in common, once in a graph."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from tfadrec.core.door import tf

_Self = TypeVar("_Self")
_Taken = ParamSpec("_Taken")
_Given = TypeVar("_Given")


def traced_once(
    method: Callable[Concatenate[_Self, _Taken], _Given],
) -> Callable[Concatenate[_Self, _Taken], _Given]:
    """Makes a method a function of the graphs that call it.

    To trace a ranker takes a second, and each copy of it makes a SavedModel
    larger and slower to load. As a function it is traced for the first
    signature that asks, and the others call it. TensorFlow writes the
    function's ops out in place of the call before it runs them, so an answer
    takes no longer. Op by op, outside of a graph, it is the method.

    Args:
      method: takes and gives tensors. It is traced again for other dtypes,
        ranks or keys, and for a size that is not known where those before had
        a known one.
    """
    # A `tf.function` that a module has as its own is traced again and saved.
    traced = tf.function(method, autograph=False)

    @functools.wraps(method)
    def called(
        self: _Self, *taken: _Taken.args, **named: _Taken.kwargs
    ) -> _Given:
        if tf.executing_eagerly():
            return method(self, *taken, **named)
        return traced.__get__(self, type(self))(*taken, **named)

    return called
