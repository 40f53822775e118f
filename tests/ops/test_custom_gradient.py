"""Gradients that go with their graph."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from tfadrec.ops.custom_gradient import custom_gradient


def registered():
    return {
        name
        for name in ops.gradient_registry.list()
        if name.startswith("CustomGradient")
    }


@custom_gradient
def tripled(x):
    """Whose gradient says that it is multiplied by five."""
    return 3.0 * x, lambda upstream: 5.0 * upstream


def own(x):
    return tripled(tripled(x))


def in_a_function(x):
    return tf.function(own)(x)


def in_a_loop(x):
    return tf.while_loop(
        lambda n, _: n < 2, lambda n, y: (n + 1, tripled(y)), (0, x)
    )[1]


def in_a_branch(x):
    return tf.cond(tf.reduce_sum(x) > 0.0, lambda: own(x), lambda: x)


WAYS = [own, in_a_function, in_a_loop, in_a_branch]


def slope(function, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y, tape.gradient(y, x)


@pytest.mark.parametrize("function", WAYS)
@pytest.mark.parametrize("traced", [False, True])
def test_the_gradient_is_its_own(function, traced):
    ask = tf.function(slope) if traced else slope
    y, gradient = ask(function, tf.constant([1.0, 2.0]))
    np.testing.assert_array_equal(y, [9.0, 18.0])
    np.testing.assert_array_equal(gradient, [25.0, 25.0])


@pytest.mark.parametrize("function", WAYS)
def test_a_traced_function_that_goes_leaves_nothing(function):
    gc.collect()
    before = registered()
    ask = tf.function(lambda x: slope(function, x))
    graph = weakref.ref(ask.get_concrete_function(tf.ones([2])).graph)
    assert registered() > before
    # Its gradient is there for as long as the graph is, and a second tape.
    gc.collect()
    with tf.GradientTape() as tape:
        x = tf.ones([2])
        tape.watch(x)
        y, _ = ask(x)
    np.testing.assert_array_equal(tape.gradient(y, x), [25.0, 25.0])
    del ask, tape, x, y
    gc.collect()
    assert graph() is None
    assert registered() == before
