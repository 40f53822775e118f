"""Watchers see what enters a layer, and only inside of their context."""

import threading

from tfadrec.core.door import tf
from tfadrec.ops import watched


def test_a_value_passes_unless_it_is_watched():
    value = tf.constant([1.0, 2.0])
    assert watched.entering("layer", ("a", "b"), value) is value
    seen = []

    def watcher(layer, names, entered):
        seen.append((layer, names))
        return entered * 10

    with watched.watching(watcher):
        moved = watched.entering("layer", ("a", "b"), value)
        other = threading.Thread(
            target=watched.entering, args=("other", ("c",), value)
        )
        other.start()
        other.join()
    assert moved.numpy().tolist() == [10.0, 20.0]
    assert seen == [("layer", ("a", "b"))]
    assert watched.entering("layer", ("a", "b"), value) is value
