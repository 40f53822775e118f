import numpy as np
import pyarrow as pa
import pytest
from data.features.reading import decode, describe, encode, parse

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature

BRAND = Feature("brand", "ad", "category", vocabulary=("a", "b"))
MAP = pa.map_(pa.string(), pa.int32())


@pytest.mark.parametrize(
    ("values", "kind", "separator"),
    [
        (["b:1 z:3", "", "a:3"], None, " "),
        (["b:1|z:3", None, "a:3"], None, "|"),
        ([[("b", 1), ("z", 3)], None, [("a", 3)]], MAP, " "),
    ],
)
def test_a_map_of_a_user(values, kind, separator):
    column, broken = parse("lookup", values, kind, separator)
    assert column.to_pylist() == [[("b", 1.0), ("z", 3.0)], [], [("a", 3.0)]]
    assert not broken.any()
    feature = describe(
        "lookup", column, {"brand": BRAND}, of=("brand",), entity="user"
    )
    assert feature.vocabulary == ("a", "b")
    assert (feature.share, feature.width) == ("brand", 2)
    # Of 1, 3 and 3 the mean is 7/3 and the variance 8/9.
    mean, std = 7 / 3, np.sqrt(8 / 9)
    assert (feature.mean, feature.std) == pytest.approx((mean, std))
    encoded = encode(column, feature)
    assert encoded["x_keys"].tolist() == [[2, 0], [0, 0], [1, 0]]
    low, high = (1 - mean) / std, (3 - mean) / std
    np.testing.assert_allclose(
        encoded["x_values"], [[low, 0], [0, 0], [high, 0]], rtol=1e-6
    )
    raw = decode(encoded, feature)
    assert raw["x_keys"].tolist() == [["b", ""], ["", ""], ["a", ""]]
    # What an unknown key has is not kept.
    np.testing.assert_allclose(raw["x_values"][0, 0], 1, rtol=1e-6)


def test_a_category_that_shares_its_vocabulary():
    also = Feature("also", "ad", "category", vocabulary=("a",), share="brand")
    column, _ = parse("lookup", ["a:1"])
    feature = describe(
        "lookup", column, {"also": also}, of=("also",), entity="context"
    )
    assert feature.share == "brand"


def test_max_values_and_scale():
    column, _ = parse("lookup", ["a:0 b:1 c:2"])
    feature = describe(
        "lookup",
        column,
        {"brand": BRAND},
        of=("brand",),
        entity="user",
        max_values=2,
        log1p=True,
    )
    assert (feature.width, feature.log1p) == (2, True)
    assert encode(column, feature)["x_keys"].tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"of": ()}, "read at one category of the ad. Received: of="),
        ({"of": ("none",)}, r"read at one category of the ad. .*\['none'\]"),
        ({"of": ("age",)}, r"read at one category of the ad. .*\['age'\]"),
        ({"of": ("price",)}, r"read at one category of the ad. .*\['price'"),
        ({"entity": "ad"}, "a map of a user or of a request. .* of the ad"),
        ({"max_values": 0}, "`max_values` must be an integer from 1"),
        ({"log1p": "yes"}, "`log1p` must be true or false"),
    ],
)
def test_bad_settings(changes, message):
    known = {
        "brand": BRAND,
        "age": Feature("age", "user", "category"),
        "price": Feature("price", "ad", "number"),
    }
    column, _ = parse("lookup", ["a:1"])
    with pytest.raises(InputError, match=message):
        describe(
            "lookup",
            column,
            known,
            **{"of": ("brand",), "entity": "user", **changes},
        )


def test_entries_that_cannot_be_read():
    column, broken = parse("lookup", ["a:1 b", "c:1"])
    assert column.to_pylist() == [[("a", 1.0)], [("c", 1.0)]]
    assert broken.tolist() == [True, False]
