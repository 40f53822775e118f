"""The catalogue: rows of ids, codes, standardised values, tables."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import Catalogue, read_catalogue

SCHEMA = Schema(
    "test",
    "string",
    "string",
    ("view",),
    features=(
        Feature("brand", "ad", "category", vocabulary=("x", "y")),
        Feature("price", "ad", "number", mean=10.0, std=5.0),
        Feature("image", "ad", "vector", width=2),
        Feature("hour", "context", "number"),
    ),
)
FEATURES = SCHEMA.of("ad")


def table(ad_ids=("a", "b", "c"), **columns):
    image = pa.FixedSizeListArray.from_arrays(
        pa.array([1, 2, 3, 4, 5, 6], pa.float32()), 2
    )
    columns = {
        "ad_id": list(ad_ids),
        "title": ["one", "", "three"],
        "description": ["", "two", ""],
        "tags": pa.array([["t", "u"], [], []], pa.list_(pa.string())),
        "brand": ["y", None, "new"],
        "price": [20.0, None, float("nan")],
        "image": image,
        "unread": [1, 2, 3],
        **columns,
    }
    return pa.table({k: v for k, v in columns.items() if v is not None})


def test_columns():
    ads = Catalogue.from_table(table(), FEATURES)
    assert len(ads) == 3
    assert ads.titles == ["one", "", "three"]
    assert ads.descriptions == ["", "two", ""]
    assert ads.tags == [["t", "u"], [], []]
    np.testing.assert_array_equal(ads.columns["brand"], [2, 0, 0])
    np.testing.assert_array_equal(ads.columns["price"], [2, np.nan, np.nan])
    np.testing.assert_array_equal(
        ads.columns["image"], [[1, 2], [3, 4], [5, 6]]
    )
    assert ads.features == FEATURES
    assert ads.spec() == {
        "num_ads": 3,
        "features": [feature.spec() for feature in FEATURES],
        "tokens": None,
    }


def test_tables_have_a_row_for_the_unknown_ad():
    tables = Catalogue.from_table(table(), FEATURES).tables()
    assert set(tables) == {"brand", "price", "image"}
    np.testing.assert_array_equal(tables["brand"], [0, 2, 0, 0])
    np.testing.assert_array_equal(tables["price"], [np.nan, 2, np.nan, np.nan])
    np.testing.assert_array_equal(
        tables["image"], [[0, 0], [1, 2], [3, 4], [5, 6]]
    )
    dtypes = {name: value.dtype.name for name, value in tables.items()}
    assert dtypes == {
        "brand": "int32",
        "price": "float32",
        "image": "float32",
    }


@pytest.mark.parametrize("ids", [("a", "b", "c"), (7, 3, 10**15)])
def test_rows_of_ids(ids):
    ads = Catalogue.from_table(table(ids), FEATURES)
    unknown = "z" if ids[0] == "a" else 8
    asked = [ids[2], unknown, ids[0], None, ids[2]]
    for values in (pa.array(asked), pa.chunked_array([asked[:2], asked[2:]])):
        rows = ads.rows(values)
        np.testing.assert_array_equal(rows, [3, 0, 1, 0, 3])
        assert rows.dtype == np.int32


def test_numerics_that_are_not_finite_are_missing():
    prices = [20.0, float("inf"), float("-inf")]
    ads = Catalogue.from_table(table(price=prices), FEATURES)
    np.testing.assert_array_equal(ads.columns["price"], [2, np.nan, np.nan])


def test_a_category_without_any_known_value():
    brand = pa.array([None, None, None], pa.string())
    features = (
        Feature("brand", "ad", "category", tensor="brand", column="brand"),
    )
    ads = Catalogue.from_table(table(brand=brand), features)
    np.testing.assert_array_equal(ads.columns["brand"], [0, 0, 0])
    assert ads.spec()["features"][0]["num_codes"] == 1


def test_with_vectors():
    ads = Catalogue.from_table(table(), FEATURES)
    more = ads.with_vectors("text", np.ones([3, 4]))
    assert widths(more) == {"image": 2, "text": 4}
    assert more.columns["text"].dtype == np.float32
    assert "text" not in ads.columns
    again = more.with_vectors("text", np.zeros([3, 5]))
    assert widths(again) == {"image": 2, "text": 5}


def widths(ads):
    return {
        feature["name"]: feature["width"]
        for feature in ads.spec()["features"]
        if feature["kind"] == "vector"
    }


def test_ids_only():
    ads = Catalogue.from_table(table(), FEATURES).ids_only()
    assert ads.tables() == {}
    assert ads.spec() == {
        "num_ads": 3,
        "features": [],
        "tokens": None,
    }


@pytest.mark.parametrize("shape", [(2, 4), (3,), (4, 4)])
def test_vectors_of_another_shape(shape):
    ads = Catalogue.from_table(table(), FEATURES)
    with pytest.raises(
        InputError, match=rf"one row per ad, \[3, D\]\. .*\[{shape[0]}"
    ):
        ads.with_vectors("text", np.ones(shape))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"brand": None, "tags": None}, r"Received: no tags, brand\."),
        ({"ad_id": None}, r"Received: no ad_id\."),
        ({"ad_id": ["a", "b", "a"]}, r"must be distinct\. Received: 1 repeat"),
    ],
)
def test_bad_tables(columns, message):
    with pytest.raises(InputError, match=message):
        Catalogue.from_table(table(**columns), FEATURES)


def write(path, **columns):
    ads = table(**columns)
    pq.write_table(ads, path / "new.parquet")
    return path / "new.parquet"


def test_ads_from_a_file(tmp_path):
    """As from a dataset; nulls are empty, and whole numbers are cast."""
    tags = pa.array([["t", None], None, []], pa.list_(pa.string()))
    file = write(
        tmp_path,
        ad_ids=["1", "2", "3"],
        title=["one", None, "x"],
        tags=tags,
        price=[20, None, 15],
    )
    ads = read_catalogue(file, SCHEMA)
    assert list(ads.ad_ids) == ["1", "2", "3"]
    assert ads.titles == ["one", "", "x"]
    assert ads.tags == [["t"], [], []]
    np.testing.assert_array_equal(ads.columns["brand"], [2, 0, 0])
    np.testing.assert_array_equal(ads.columns["price"], [2, np.nan, 1])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"brand": None},
            r"new\.parquet must have every .*: no brand\. Mend the file",
        ),
        ({"ad_id": ["a", None, "c"]}, "Received: 1 without one"),
        ({"ad_id": [1, 2, 3]}, r"ad_id of type int64 in .*new.*Write that"),
        ({"ad_id": [1.0, None, 3.0]}, "Received: ad_id of type double"),
        ({"ad_id": ["", None, "c"]}, "Received: 2 without one"),
        ({"ad_id": ["", "b", "c"]}, r"and '' stands for no ad\. Received: 1"),
        ({"ad_id": ["a", "a", "c"]}, r"new\.parquet .* 1 repeated\. Mend"),
        (
            {"price": ["dear", "3", ""]},
            r"of a number must be readable\. Received: 1 in 'price' of .*new",
        ),
    ],
)
def test_refused_files(columns, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read_catalogue(write(tmp_path, **columns), SCHEMA)


def test_the_number_that_stands_for_no_ad(tmp_path):
    """Answers have it where no ad is left, and requests as padding."""
    schema = dataclasses.replace(SCHEMA, ad_id_type="int64")
    ids = [-2, 0, -(2**63)]
    ads = read_catalogue(write(tmp_path, ad_id=ids), schema)
    assert ads.ad_ids.tolist() == ids
    message = r"and -1 stands for no ad\. Received: 1 without one in .*Mend"
    with pytest.raises(InputError, match=message):
        read_catalogue(write(tmp_path, ad_id=[3, -1, 0]), schema)
    # As a text it is one as any other.
    assert read_catalogue(write(tmp_path, ad_id=["-1", "b", "c"]), SCHEMA)


def test_no_file(tmp_path):
    with pytest.raises(
        InputError, match=r"a Parquet file .*: [^ ]*nothing\.parquet, which is"
    ):
        read_catalogue(tmp_path / "nothing.parquet", SCHEMA)
    (tmp_path / "text.parquet").write_text("ad_id,title")
    with pytest.raises(InputError, match="a catalogue is a Parquet file"):
        read_catalogue(tmp_path / "text.parquet", SCHEMA)


def test_some_of_the_ads():
    ads = Catalogue.from_table(table(), FEATURES).take(np.array([2, 0]))
    assert list(ads.ad_ids) == ["c", "a"]
    assert ads.titles == ["three", "one"]
    np.testing.assert_array_equal(ads.columns["brand"], [0, 2])
    np.testing.assert_array_equal(ads.columns["image"], [[5, 6], [1, 2]])
    assert ads.features == FEATURES


def test_weighted_categories_from_a_file(tmp_path):
    """As texts of `value:weight`, and as maps, as the dataset holds them."""
    schema = Schema(
        "test",
        "string",
        "string",
        ("view",),
        features=(
            Feature(
                "styles",
                "ad",
                "categories",
                vocabulary=("x", "y"),
                width=2,
                weighted=True,
            ),
        ),
    )
    maps = pa.array(
        [[("y", 2.0), ("x", 0.5)], [], [("z", 1.0)]],
        pa.map_(pa.string(), pa.float64()),
    )
    for styles in (["y:2 x:0.5", None, "z:1"], maps):
        file = write(tmp_path, styles=styles)
        columns = read_catalogue(file, schema).columns
        np.testing.assert_array_equal(
            columns["styles"], [[2, 1], [0, 0], [0, 0]]
        )
        np.testing.assert_array_equal(
            columns["styles_weights"], [[2, 0.5], [0, 0], [0, 0]]
        )
