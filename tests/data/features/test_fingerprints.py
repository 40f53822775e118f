"""Fingerprints against TensorFlow's own, over all classes of lengths."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfadrec.data.features.fingerprints import fingerprints

#: TensorFlow gives remainders, as int64.
_MOST = 2**63 - 1


def assert_as_tensorflow(texts, kind):
    found = fingerprints(pa.array(texts, kind))
    assert found.dtype == np.uint64
    expected = tf.strings.to_hash_bucket_fast(tf.constant(texts), _MOST)
    np.testing.assert_array_equal(found % np.uint64(_MOST), expected)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_every_length(kind):
    random = np.random.default_rng(0)
    texts = [random.bytes(length) for length in range(1001)]
    random.shuffle(texts)
    assert_as_tensorflow(texts, kind)


def test_edges_of_the_formulas():
    lengths = (0, 1, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 128, 129, 192, 5000)
    bytes_ = (b"\x00", b"\xff", b"a")
    assert_as_tensorflow([b * n for n in lengths for b in bytes_], pa.binary())


def test_texts():
    texts = ["", "a", "Größe", "日本語", "🙂" * 20, "w1", "\x00", "é" * 500]
    assert_as_tensorflow(texts, pa.string())


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=8))
def test_any_bytes(texts):
    assert_as_tensorflow(texts, pa.binary())


def test_a_part_of_an_array():
    texts = pa.array(["x" * length for length in range(90)])
    whole = fingerprints(texts)
    np.testing.assert_array_equal(
        fingerprints(texts.slice(60, 20)), whole[60:80]
    )
    assert len(fingerprints(texts.slice(0, 0))) == 0
    assert len(fingerprints(pa.array([], pa.string()))) == 0
