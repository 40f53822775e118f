"""Requests read by hand, against TensorFlow Serving's own protos."""

import numpy as np
from tensorflow_serving.apis import prediction_log_pb2

from tfadrec.core.door import tf
from tfadrec.native import warm_up_file

GIVEN = {
    "negative": np.array([[-5, 2**40, 7]]),
    "one": np.array([-1], np.int32),
    "equal": np.full([3, 2], -4, np.int32),
    "float": np.array([1.5, np.nan, -np.inf], np.float32),
    "double": np.array([[1e300]]),
    "bool": np.array([True, False, True]),
    "text": np.array([[b"", b"a\0", "é".encode()]], object),
    "nothing": np.zeros([2, 0], np.float32),
    "no text": np.zeros([1, 0], object),
    "scalar": np.array(3.25, np.float32),
}


def test_requests_are_read_as_they_were_written(tmp_path):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "shop"
    request.model_spec.signature_name = "score"
    for name, values in GIVEN.items():
        dtype = tf.string if values.dtype == object else values.dtype
        proto = tf.make_tensor_proto(values.tolist(), dtype, values.shape)
        request.inputs[name].CopyFrom(proto)
    # One number stands for all; lists of floats are packed.
    short = request.inputs["short"]
    short.dtype = tf.float64.as_datatype_enum
    short.tensor_shape.dim.add().size = 3
    short.double_val.append(0.5)
    other = prediction_log_pb2.PredictionLog()
    other.predict_log.request.model_spec.signature_name = "other"
    with tf.io.TFRecordWriter(str(tmp_path / "file")) as writer:
        writer.write(log.SerializeToString())
        writer.write(other.SerializeToString())
    (name, found), nothing = warm_up_file.requests(tmp_path / "file")
    assert (name, nothing) == ("score", ("other", {}))
    expected = GIVEN | {"short": np.full(3, 0.5)}
    assert set(found) == set(expected)
    for key, values in expected.items():
        assert found[key].dtype == values.dtype, key
        assert found[key].shape == values.shape, key
        np.testing.assert_array_equal(found[key], values)
