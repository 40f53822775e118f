"""Gradients of one's own that go with the graph they were traced in."""

import functools
import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

_REGISTRY = ops.gradient_registry._registry
#: The attribute of a graph in which its gradients are.
_HELD = "_custom_gradients"


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `tf.custom_gradient`, for a process that traces graph after graph.

    TensorFlow registers the gradient of every trace under a name of its own,
    for ever, and a gradient holds the graph that it was traced in: each
    training of a process would leave its graphs behind. Here the graph holds
    the gradient, and the name goes with it.

    Args:
      function: from tensors to tensors and the function of their gradient.

    Returns:
      A function from these tensors to those, with that gradient.
    """
    traced = tf.custom_gradient(function)

    @functools.wraps(function)
    def called(*tensors: Any) -> Any:
        results = traced(*tensors)
        if not tf.executing_eagerly():
            _hand_over(tf.nest.flatten(results)[0])
        return results

    return called


def _hand_over(result: tf.Tensor) -> None:
    """Has a graph hold the gradient of the operation that a tensor is of."""
    graph = result.graph
    name = result.op.get_attr("_gradient_op_type").decode()
    gradient = _REGISTRY[name]["type"]
    held = weakref.ref(gradient)
    setattr(graph, _HELD, [*getattr(graph, _HELD, ()), gradient])

    def look_up(*given: Any) -> Any:
        found = held()
        assert found is not None  # the graph that asks holds it
        return found(*given)

    _REGISTRY[name]["type"] = look_up
    weakref.finalize(graph, _REGISTRY.pop, name, None)
