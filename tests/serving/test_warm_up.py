"""The warm-up file, read with TensorFlow Serving's own protos."""

import collections

import numpy as np
import pytest
from tensorflow_serving.apis import prediction_log_pb2

from tests.serving import worlds
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.serving import warm_up


@pytest.fixture(scope="module", params=["words", "numbers"])
def world(request):
    return request.param


def logs(world):
    file = worlds.bundle(world) / "1" / warm_up.FILE
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        yield prediction_log_pb2.PredictionLog.FromString(record)


def inputs(request):
    return {k: tf.make_ndarray(v) for k, v in request.inputs.items()}


def test_every_signature_and_size_is_there(world):
    sizes = collections.defaultdict(list)
    for log in logs(world):
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == world
        values = inputs(request)
        shape = len(next(iter(values.values())))
        ads = values.get("candidate_ads", np.zeros([shape, 0]))
        sizes[request.model_spec.signature_name].append((shape, ads.size))
    encoded = {"encode_ads": [(1, 0), (32, 0)]}
    if world == "words":
        encoded["encode_ads_text"] = encoded["encode_ads"]
    assert sizes == encoded | {
        "serving_default": [(1, 1), (32, 32), (256, 256)],
        "serve_examples": [(1, 0), (32, 0), (256, 0)],
        "score_slate": [(1, 100), (1, 500)],
        "recommend": [(1, 0)],
        "recommend_from": [(1, 100), (1, 500)],
        "score_new_ads": [(1, 100)],
        "encode_user": [(1, 0)],
    }
    loaded = worlds.loaded(world)
    assert set(sizes) == set(loaded.signatures)


@pytest.mark.parametrize(
    "world",
    ["words", pytest.param("numbers", marks=pytest.mark.slow)],
    indirect=True,
)
def test_every_request_is_answered(world):
    """`test_bundle` asks all signatures of `numbers` in TensorFlow's C library.

    Those of `words` are more.
    """
    loaded = worlds.loaded(world)
    for log in logs(world):
        request = log.predict_log.request
        signature = loaded.signatures[request.model_spec.signature_name]
        answer = signature(
            **{k: tf.constant(v) for k, v in inputs(request).items()}
        )
        rows = len(next(iter(inputs(request).values())))
        for values in answer.values():
            assert values.shape[0] == rows
        one = answer.get("pctr", answer.get("bias"))
        assert np.isfinite(one).all()


def test_they_are_rows_of_the_dataset():
    dataset = worlds.words().dataset
    expected = serving.replay(dataset, np.arange(32) % len(dataset))
    request = next(
        log.predict_log.request
        for log in logs("words")
        if len(inputs(log.predict_log.request).get("candidate_ads", [])) == 32
    )
    found = inputs(request)
    assert set(found) == set(expected)
    for name, values in expected.items():
        if values.dtype == object:
            values = np.vectorize(str.encode, otypes=[object])(values)
        np.testing.assert_array_equal(found[name], values)
