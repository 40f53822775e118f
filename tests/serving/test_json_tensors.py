"""JSON to arrays and back, without a server."""

import json

import numpy as np
import pytest
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from tfadrec.core.door import tf
from tfadrec.serving.preview import json_tensors
from tfadrec.serving.preview.body import Body, read_body
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError


def read(dtype, values, rank=1, limits=Limits(), last=None):  # noqa: B008
    shape = tf.TensorShape([*[None] * (rank - 1), last]).as_proto()
    spec = TensorInfo(dtype=dtype.as_datatype_enum, tensor_shape=shape)
    body = Body("a", by_row=False, values={"x": values})
    return json_tensors.read_inputs(body, {"x": spec}, limits)["x"]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (tf.int32, [-(2**31), 2**31 - 1, 0]),
        (tf.int64, [-(2**63), 2**63 - 1, 0]),
        (tf.float32, [1, -0.5, float("nan")]),
        (tf.float64, [1e300, -3]),
        (tf.bool, [True, False]),
    ],
)
def test_numbers(dtype, values):
    found = read(dtype, values)
    assert found.dtype == dtype.as_numpy_dtype
    np.testing.assert_array_equal(found, np.array(values, dtype.as_numpy_dtype))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (tf.int32, 2**31),
        (tf.int32, -(2**31) - 1),
        (tf.int64, 2**63),
        (tf.int32, 1.0),
        (tf.int32, True),
        (tf.float64, True),
        (tf.float64, 10**400),
        (tf.float64, "1"),
        (tf.bool, 0),
        (tf.string, 1),
        (tf.string, {"b64": "YQ"}),
        (tf.string, {"b64": None}),
        (tf.string, {"b64": "YQ==", "more": 1}),
        (tf.string, "\ud800"),
    ],
)
def test_values_that_are_refused(dtype, value):
    with pytest.raises(RequestError, match="`x` must be") as error:
        read(dtype, [value])
    assert error.value.status == 400


def test_strings():
    found = read(tf.string, [["a", "\u00e9"], [{"b64": "/w=="}, ""]], rank=2)
    assert found.dtype == object
    assert found.tolist() == [[b"a", "\u00e9".encode()], [b"\xff", b""]]


def test_shapes():
    assert read(tf.int64, [[], []], rank=2).shape == (2, 0)
    assert read(tf.int64, [[[1]], [[2]]], rank=3).shape == (2, 1, 1)
    # The vectors of an empty history still have a width.
    assert read(tf.int64, [[], []], rank=3, last=4).shape == (2, 0, 4)
    for values in ([1], 1, [[[1]]], [[1], [1, 2]], {"a": 1}):
        with pytest.raises(RequestError, match=r"`x` must|lists of `x`"):
            read(tf.int64, values, rank=2)
    with pytest.raises(RequestError, match="at most 3 values"):
        read(tf.int64, [[1, 2], [3, 4]], rank=2, limits=Limits(values=3))


@pytest.mark.parametrize(
    ("by_row", "values", "received"),
    [(True, [7, 8], "7"), (True, [[]], "a list"), (False, 7, "7")],
)
def test_what_is_no_row(by_row, values, received):
    specs = dict.fromkeys("xy", TensorInfo())
    body = Body("a", by_row=by_row, values=values)
    with pytest.raises(RequestError, match=rf"x, y\. Received: {received}\."):
        json_tensors.read_inputs(body, specs, Limits())


def test_a_body():
    body = read_body(b'{"inputs": [1]}', Limits())
    assert body == Body("serving_default", by_row=False, values=[1])
    body = read_body(b'{"signature_name": "", "instances": [1]}', Limits())
    assert body == Body("serving_default", by_row=True, values=[1])
    with pytest.raises(RequestError, match="a name twice"):
        read_body(b'{"inputs": {"a": 1, "a": 1}}', Limits())


def test_answers():
    outputs = {
        "p": np.array([0.5, -np.inf], np.float32),
        "ids": np.array([[b"a", "\u00e9".encode()], [b"", b"b"]], object),
        "raw_bytes": np.array([b"\xff", b""], object),
    }
    raw = json_tensors.write_answer(outputs, by_row=False)
    assert b"-Infinity" in raw
    columns = {
        "p": [0.5, -np.inf],
        "ids": [["a", "\u00e9"], ["", "b"]],
        "raw_bytes": [{"b64": "/w=="}, {"b64": ""}],
    }
    assert json.loads(raw) == {"outputs": columns}
    rows = json.loads(json_tensors.write_answer(outputs, by_row=True))
    assert rows["predictions"] == [
        {name: values[row] for name, values in columns.items()}
        for row in range(2)
    ]
    only = {"p": np.array([1.0], np.float32)}
    for by_row, key in ((True, "predictions"), (False, "outputs")):
        raw = json_tensors.write_answer(only, by_row=by_row)
        assert json.loads(raw) == {key: [1.0]}
