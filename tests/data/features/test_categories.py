import decimal

import numpy as np
import pyarrow as pa
import pytest
from data.features.reading import decode, describe, encode, parse

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data.features import KINDS

MAP = pa.map_(pa.string(), pa.float64())


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["b a", "", None, "c"], " "),
        (["b|a", "|", "", "c|"], "|"),
        ([["b", "a"], [], None, ["", "c", None]], " "),
    ],
)
def test_lists(values, separator):
    column, broken = parse("categories", values, separator=separator)
    assert column.to_pylist() == [["b", "a"], [], [], ["c"]]
    assert not broken.any()
    feature = describe("categories", column)
    assert feature.vocabulary == ("a", "b", "c")
    assert (feature.width, feature.weighted) == (2, False)
    codes = encode(column, feature)["x"]
    assert codes.tolist() == [[2, 1], [0, 0], [0, 0], [3, 0]]
    assert codes.dtype == np.int32
    raw = decode({"x": codes}, feature)
    assert raw["x"].tolist() == [["b", "a"], ["", ""], ["", ""], ["c", ""]]


def test_unknown_values_take_no_place():
    column, _ = parse("categories", ["a b"])
    feature = describe("categories", column)
    later, _ = parse("categories", ["z b a"])
    # Two known entries are kept, the first ones.
    assert encode(later, feature)["x"].tolist() == [[2, 1]]


def test_max_values():
    column, _ = parse("categories", ["a b c", "d"])
    feature = describe("categories", column, max_values=2)
    assert feature.width == 2
    assert encode(column, feature)["x"].tolist() == [[1, 2], [4, 0]]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a:2 b:.5", "", None, "c:1:3"], None),
        ([[("a", 2.0), ("b", 0.5)], [], None, [("c:1", 3.0)]], MAP),
    ],
)
def test_weights(values, kind):
    column, broken = parse("categories", values, kind, weighted=True)
    assert column.to_pylist() == [
        [("a", 2.0), ("b", 0.5)],
        [],
        [],
        [("c:1", 3.0)],
    ]
    assert not broken.any()
    feature = describe("categories", column, weighted=True)
    assert feature.weighted
    encoded = encode(column, feature)
    assert encoded["x"].tolist() == [[1, 2], [0, 0], [0, 0], [3, 0]]
    weights = encoded["x_weights"]
    assert weights.tolist() == [[2.0, 0.5], [0, 0], [0, 0], [3.0, 0]]
    assert weights.dtype == np.float32
    raw = decode(encoded, feature)
    assert raw["x"][0].tolist() == ["a", "b"]
    np.testing.assert_array_equal(raw["x_weights"], weights)


@pytest.mark.parametrize("weighted", [True, False, None])
def test_a_column_of_maps_with_its_weights_or_without(weighted):
    """`weighted: false` reads the keys, also those without a number."""
    settings = {} if weighted is None else {"weighted": weighted}
    values = [[("a", 2.0), ("b", None)], None, [], [("c", 3.0)]]
    # A slice, and a null between, which may span entries.
    whole = pa.chunked_array([pa.array([[("x", 1.0)], *values], MAP)]).slice(1)
    column, broken = KINDS["categories"].parse(whole, " ", settings)
    feature = describe("categories", column, **settings)
    codes = encode(column, feature)["x"].tolist()
    if weighted is False:
        assert column.to_pylist() == [["a", "b"], [], [], ["c"]]
        assert not broken.any()
        assert (feature.weighted, feature.width) == (False, 2)
        assert codes == [[1, 2], [0, 0], [0, 0], [3, 0]]
    else:
        assert column.to_pylist() == [[("a", 2.0)], [], [], [("c", 3.0)]]
        assert broken.tolist() == [True, False, False, False]
        assert feature.weighted
        assert codes == [[1], [0], [0], [2]]


def test_entries_that_cannot_be_read_are_left_out():
    column, broken = parse(
        "categories", ["a:1 b c:x", ":2", "d:inf", "e:1"], weighted=True
    )
    assert column.to_pylist() == [[("a", 1.0)], [], [], [("e", 1.0)]]
    assert broken.tolist() == [True, True, True, False]


def test_a_shared_vocabulary():
    owner = Feature("brand", "ad", "category", buckets=7)
    column, _ = parse("categories", ["a b"])
    feature = describe("categories", column, {"brand": owner}, share="brand")
    assert (feature.vocabulary, feature.buckets) == ((), 7)


@pytest.mark.parametrize("weighted", ["no", 0, None])
def test_weighted_is_true_or_false(weighted):
    with pytest.raises(InputError, match="`weighted` must be true or false"):
        parse("categories", ["a:1"], weighted=weighted)


@pytest.mark.parametrize("max_values", [0, 10_001, 2.0, True])
def test_bad_max_values(max_values):
    column, _ = parse("categories", ["a"])
    with pytest.raises(InputError, match="`max_values` must be an integer"):
        describe("categories", column, max_values=max_values)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([[["a"]]], None, "must hold texts, numbers or times"),
        (
            [[("a", ["b"])]],
            pa.map_(pa.string(), pa.list_(pa.string())),
            "must lead from texts to numbers",
        ),
    ],
)
def test_columns_of_other_types(values, kind, message):
    with pytest.raises(InputError, match=message):
        parse("categories", values, kind)


@pytest.mark.parametrize(
    ("key", "item", "entries", "read"),
    [
        # Keys are spelled and numbers are read as in columns without maps.
        (
            pa.float64(),
            pa.decimal128(10, 2),
            [(1.0, "0.30"), (1e16, "5")],
            [("1", 0.3), (str(10**16), 5.0)],
        ),
        (pa.int8(), pa.string(), [(1, "2"), (3, "x")], [("1", 2.0)]),
    ],
)
def test_maps_of_other_types(key, item, entries, read):
    items = [(k, decimal.Decimal(v)) for k, v in entries if v != "x"]
    if item == pa.string():
        items = entries
    values = [None, items]
    column, broken = parse("categories", values, pa.map_(key, item))
    assert column.to_pylist() == [[], read]
    assert broken.tolist() == [False, len(read) < len(entries)]


def test_lists_of_fixed_size():
    values = pa.FixedSizeListArray.from_arrays(pa.array(["a", "", "b", "a"]), 2)
    column, _ = parse("categories", values)
    assert column.to_pylist() == [["a"], ["b", "a"]]
