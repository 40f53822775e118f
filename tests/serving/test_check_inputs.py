"""What the preview refuses before the graph would make sense of it."""

import numpy as np
import pytest
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from tfadrec.core.door import tf
from tfadrec.serving.ad_expiry import LATEST, moment
from tfadrec.serving.preview.check_inputs import check_inputs
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError


def check(name, values):
    shape = tf.TensorShape([None] * values.ndim).as_proto()
    dtype = tf.as_dtype(values.dtype).as_datatype_enum
    spec = TensorInfo(dtype=dtype, tensor_shape=shape)
    check_inputs({name: values}, {name: spec}, Limits())


def floats(*values):
    return np.array(values, np.float32)


def integers(*values):
    return np.array(values, np.int32)


def moments(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("diversity", floats(0, 0.3, 1)),
        ("cap_brand", integers(0, 1, 2**31 - 1)),
        ("now_seconds", moments(0, 1, 1_800_000_000, LATEST - 1)),
        ("bids", floats([0, 1e-9], [1e38, 7])),
        # Features that are called so.
        ("diversity", np.array([np.nan, -7])),
        ("diversity", np.array([b"many"], object)),
        ("cap_brand", np.array([-3.0])),
        ("cap_brand", np.array([b"blue"], object)),
    ],
)
def test_what_is_taken(name, values):
    check(name, values)


@pytest.mark.parametrize(
    ("name", "values", "rule", "received"),
    [
        ("diversity", floats(0, 2), "from 0 to 1", "2.0"),
        ("diversity", floats(-0.5), "from 0 to 1", "-0.5"),
        ("diversity", floats(1, np.nan), "from 0 to 1", "nan"),
        ("cap_brand", integers(3, -1), ">= 0, where 0 is no cap", "-1"),
        ("now_seconds", moments(-5), "seconds since 1970", "-5"),
        (
            "now_seconds",
            moments(0, 1_796_073_345_000),
            "before the year 2200, no milliseconds",
            "1796073345000",
        ),
        ("bids", floats([1, np.nan]), "finite and >= 0", "nan"),
        ("bids", floats([1], [np.inf]), "finite and >= 0", "inf"),
        ("bids", floats([-1]), "finite and >= 0", "-1.0"),
    ],
)
def test_what_is_refused(name, values, rule, received):
    with pytest.raises(RequestError) as error:
        check(name, values)
    line = str(error.value)
    assert line.startswith(f"`{name}` must be ")
    assert rule in line
    assert line.endswith(f". Received: {received}.")
    assert error.value.status == 400


def test_the_graph_takes_what_is_no_moment_for_none():
    """TensorFlow Serving asks the graph without these checks."""
    given = np.array([-5, 0, LATEST, 1_796_073_345_000, 7, LATEST - 1])
    before = int(tf.timestamp())
    request = {
        "user_id": tf.zeros([6], tf.int64),
        "now_seconds": tf.constant(given),
    }
    found = moment(request).numpy()
    assert found[4:].tolist() == [7, LATEST - 1]
    assert all(before <= each <= before + 60 for each in found[:4])
