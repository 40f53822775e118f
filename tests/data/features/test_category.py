import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from data.features.reading import decode, describe, encode, parse

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["b", "", None, " a"], None, ["b", None, None, " a"]),
        ([1, None, -3], pa.int64(), ["1", None, "-3"]),
        # Whole numbers that once met a missing value are written as such.
        ([7.0, None], pa.float64(), ["7", None]),
        ([True, False], pa.bool_(), ["true", "false"]),
    ],
)
def test_parse(values, kind, expected):
    column, broken = parse("category", values, kind)
    assert column.to_pylist() == expected
    assert column.type == pa.string()
    assert not broken.any()


def test_codes_of_a_vocabulary():
    column, _ = parse("category", ["b", "a", None, "b"])
    feature = describe("category", column)
    assert feature.vocabulary == ("a", "b")
    # a is 1, b is 2; c was never seen.
    later, _ = parse("category", ["a", "c", "b", None])
    codes = encode(later, feature)["x"]
    assert codes.tolist() == [1, 0, 2, 0]
    assert codes.dtype == np.int32
    assert decode({"x": codes}, feature)["x"].tolist() == ["a", "", "b", ""]
    assert feature.num_codes == 3


def test_rare_values_are_unknown():
    column, _ = parse("category", ["b", "a", "b", "c", "c", "c"])
    feature = describe("category", column, min_count=2)
    assert feature.vocabulary == ("b", "c")
    assert encode(column, feature)["x"].tolist() == [1, 0, 1, 2, 2, 2]


def test_hash_buckets():
    column, _ = parse("category", ["b", "", "a", "never seen"])
    feature = describe("category", column, buckets=10)
    assert (feature.vocabulary, feature.num_codes) == ((), 11)
    codes = encode(column, feature)["x"]
    hashed = tf.strings.to_hash_bucket_fast(["b", "a", "never seen"], 10)
    assert codes[[0, 2, 3]].tolist() == (hashed.numpy() + 1).tolist()
    assert codes[1] == 0
    texts = decode({"x": codes}, feature)["x"]
    assert texts[1] == ""
    np.testing.assert_array_equal(encode(pa.array(texts), feature)["x"], codes)


def test_a_shared_vocabulary():
    column, _ = parse("category", ["c", "a"])
    owner = Feature("brand", "ad", "category", vocabulary=("a", "b"))
    feature = describe("category", column, {"brand": owner}, share="brand")
    assert feature.vocabulary == ("a", "b")
    assert encode(column, feature)["x"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"buckets": -1},
            "`buckets` must be an integer from 0 .* Received: -1",
        ),
        ({"buckets": 1.5}, "`buckets` must be an integer .* Received: 1.5"),
        ({"buckets": True}, "`buckets` must be an integer .* Received: True"),
        (
            {"buckets": 9, "min_count": 2},
            "`min_count` with `buckets` for 'x'. Leave one of them out",
        ),
        (
            {"share": "brand", "min_count": 2},
            "'x' has the codes of 'brand'. .* Leave `min_count` out",
        ),
        (
            {"share": "brand", "buckets": 9},
            "Received: `buckets` with `share`. Leave `buckets` out",
        ),
        ({"min_count": 0}, "`min_count` must be an integer from 1 .*: 0 for"),
        ({"share": "price"}, "category only. Received: 'price', which is numb"),
        ({"share": "none"}, "category only. Received: 'none', which is unkno"),
        ({"share": "also"}, "must share with the feature that has the vocab"),
    ],
)
def test_bad_settings(changes, message):
    known = {
        "price": Feature("price", "ad", "number"),
        "also": Feature("also", "ad", "category", share="brand"),
    }
    column, _ = parse("category", ["a"])
    with pytest.raises(InputError, match=message):
        describe("category", column, known, **changes)


def test_nested_columns():
    with pytest.raises(InputError, match="must hold texts, numbers or times"):
        parse("category", [["a"]])
