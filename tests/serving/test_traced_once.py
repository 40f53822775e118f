"""A method that several graphs call, by what its body was run for."""

from tfadrec.core.door import tf
from tfadrec.serving.traced_once import traced_once


class _Doubles(tf.Module):
    def __init__(self, by):
        super().__init__()
        self.by = tf.Variable(by)
        self.seen = []

    @traced_once
    def of(self, values):
        """`by` times the values."""
        self.seen.append(values["x"].shape.rank)
        return {"y": self.by * values["x"]}


def _graph(module, shape, plus):
    spec = tf.TensorSpec(shape)
    return tf.function(
        lambda x: module.of({"x": x})["y"] + plus
    ).get_concrete_function(spec)


def test_graphs_share_one_trace():
    module = _Doubles(2.0)
    first, second = (_graph(module, [None], plus) for plus in (1.0, 5.0))
    assert module.seen == [1]
    three = tf.constant([3.0])
    assert (first(three), second(three)) == (7.0, 11.0)
    # It reads the variable when it is called.
    module.by.assign(10.0)
    assert first(three) == 31.0
    # Another rank is another graph.
    assert _graph(module, [None, 2], 0.0)(tf.ones([1, 2]))[0, 1] == 10.0
    assert module.seen == [1, 2]


def test_a_known_size_is_served_by_an_unknown_one():
    module = _Doubles(2.0)
    _graph(module, [None], 1.0)
    assert _graph(module, [2], 0.0)(tf.ones([2])).numpy().tolist() == [2, 2]
    assert module.seen == [1]


def test_each_object_has_its_own():
    one, other = _Doubles(2.0), _Doubles(3.0)
    value = tf.constant([1.0])
    assert _graph(one, [None], 0.0)(value) == 2.0
    assert _graph(other, [None], 0.0)(value) == 3.0
    assert one.seen == other.seen == [1]


def test_op_by_op_it_is_the_method():
    module = _Doubles(2.0)
    for _ in range(2):
        assert module.of({"x": tf.constant([4.0])})["y"] == 8.0
    assert module.seen == [1, 1]


def test_a_saved_model_does_not_have_it_as_its_own(tmp_path):
    module = _Doubles(2.0)
    tf.saved_model.save(module, tmp_path, {"of": _graph(module, [None], 1.0)})
    loaded = tf.saved_model.load(tmp_path)
    assert not hasattr(loaded, "of")
    assert loaded.signatures["of"](tf.constant([3.0]))["output_0"] == 7.0
    assert module.seen == [1]
