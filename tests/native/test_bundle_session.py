"""A small SavedModel in a session of the C library; bundles: `test_bundle`."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.native.bundle_session import BundleSession


class Model(tf.Module):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "texts"),
            tf.TensorSpec([None, None], tf.int64, "numbers"),
        ]
    )
    def both(self, texts, numbers):
        tf.debugging.assert_non_negative(numbers, "numbers are >= 0")
        return {
            "texts": tf.strings.join([texts, "!"]),
            "mean": tf.reduce_mean(tf.cast(numbers, tf.float32), axis=1),
            "is_even": numbers % 2 == 0,
        }


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    model = Model()
    tf.saved_model.save(model, folder, {"both": model.both})
    session = BundleSession(folder)
    yield session
    session.close()


TEXTS = np.array([b"", b"a\0b", b"x" * 50], object)
NUMBERS = np.array([[1, 2], [2**40, 0], [5, 6]])


def test_it_answers(session):
    assert {k: tuple(map(set, v)) for k, v in session.signatures.items()} == {
        "both": ({"texts", "numbers"}, {"texts", "mean", "is_even"})
    }
    call = session.call("both", {"texts": TEXTS, "numbers": NUMBERS})
    for _ in range(2):
        call.run()
        found = call.answer()
        assert found["texts"].tolist() == [b"!", b"a\0b!", b"x" * 50 + b"!"]
        np.testing.assert_array_equal(found["mean"], [1.5, 2**39, 5.5])
        np.testing.assert_array_equal(found["is_even"], NUMBERS % 2 == 0)
    call.close()
    nothing = {"texts": TEXTS[:0], "numbers": np.zeros([0, 4], np.int64)}
    call = session.call("both", nothing)
    call.run()
    assert {k: v.shape for k, v in call.answer().items()} == {
        "texts": (0,),
        "mean": (0,),
        "is_even": (0, 4),
    }
    call.close()


def test_a_refused_request_does_not_end_the_session(session):
    wrong = session.call("both", {"texts": TEXTS, "numbers": -NUMBERS})
    with pytest.raises(TfadrecError, match="numbers are >= 0"):
        wrong.run()
    wrong.close()
    call = session.call("both", {"texts": TEXTS, "numbers": NUMBERS})
    call.run()
    call.close()


def test_inputs_that_it_does_not_have(session):
    with pytest.raises(InputError, match=r"texts\. Received: texts\."):
        session.call("both", {"texts": TEXTS})


def test_a_folder_without_a_bundle(tmp_path):
    with pytest.raises(TfadrecError, match="SavedModel"):
        BundleSession(tmp_path)
