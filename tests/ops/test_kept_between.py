import numpy as np

from tfadrec.core.door import tf
from tfadrec.ops.kept_between import kept_between


def test_values_and_the_way_back():
    values = tf.constant([-9.0, -9.0, 0.5, 7.0, 7.0])
    wanted = tf.constant([1.0, -1.0, 1.0, 1.0, -1.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        kept = kept_between(values, tf.constant(-1.0), tf.constant(2.0))
    np.testing.assert_array_equal(kept, [-1, -1, 0.5, 2, 2])
    # A step goes against the gradient: the first and the last lead away.
    np.testing.assert_array_equal(
        tape.gradient(kept, values, wanted), [0, -1, 1, 1, 0]
    )


def test_no_bounds():
    values = tf.constant([-1e38, 3.0])
    infinite = tf.constant(np.inf)
    np.testing.assert_array_equal(
        kept_between(values, -infinite, infinite), values
    )
