import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.intake import checks
from tfadrec.data.intake.feature_columns import (
    describe_features,
    in_order,
    named_columns,
    parse_features,
)
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows


def rows_of(**columns):
    table = pa.table(columns)
    return RawRows("file", "rows", table, np.arange(1, len(table) + 1))


def spec(name, kind="category", entity="ad", **fields):
    derived = kind in ("cross", "overlap")
    columns = () if derived else (name,)
    return FeatureSpec(name, entity, kind, **{"columns": columns, **fields})


def test_columns_are_parsed_and_faults_are_noted_once():
    rows = rows_of(price=["1", "x", "y", "", "z"], brand=["a", "", "b", "", ""])
    rows.refuse(np.array([False, False, True, False, False]), "other")
    ledger = Ledger()
    columns = parse_features(
        rows,
        [
            spec("price", "number"),
            spec("brand", entity="user"),
            spec("band", "number", columns=("price",)),
        ],
        ledger,
    )
    assert list(columns) == ["ad.price", "user.brand", "ad.band"]
    assert columns["ad.price"].to_pylist() == [1.0, None, None, None, None]
    assert columns["user.brand"].to_pylist() == ["a", None, "b", None, None]
    # The refused row's value is not counted.
    assert ledger.notes == [
        "file: 2 of 3 values of price are no numbers, or beyond "
        "±1e100, and count as missing, "
        "such as 'x' in line 2"
    ]


def test_joined_columns():
    rows = rows_of(a=["x", "", "y", None], b=[1, 2, None, 4])
    columns = parse_features(rows, [spec("ab", columns=("a", "b"))], Ledger())
    assert columns["ad.ab"].to_pylist() == ["x:1", None, None, None]


def test_a_column_that_does_not_fit():
    rows = rows_of(x=[["a"]])
    with pytest.raises(
        InputError, match="file: the ad's 'x': a column must hold texts"
    ):
        parse_features(rows, [spec("x", "number")], Ledger())


SPECS = [
    spec("pair", "cross", "candidate", of=("ad.brand", "device")),
    spec("liked", entity="user", share="ad.brand"),
    spec("brand", entity="user", share="ad.brand"),
    spec("device", entity="context"),
    spec("brand"),
]


def test_what_is_referred_to_comes_first():
    ordered = in_order(SPECS)
    places = {s.key: place for place, s in enumerate(ordered)}
    assert sorted(places) == sorted(s.key for s in SPECS)
    assert places["ad.brand"] < places["user.liked"]
    assert places["ad.brand"] < places["candidate.pair"]
    assert places["context.device"] < places["candidate.pair"]


def test_references_have_one_name():
    # `device` is one, also as `context.device`; `brand` could be two.
    pair = spec("pair", "cross", "candidate", of=("context.device", "ad.brand"))
    by_key = {s.key: s for s in in_order([pair, *SPECS[2:]])}
    assert by_key["candidate.pair"].of == ("device", "ad.brand")
    assert by_key["user.brand"].share == "ad.brand"


def test_described_features_keep_the_order_of_the_specs():
    tables = [
        pa.table({"ad.brand": ["b", "a", None]}),
        pa.table({"user.brand": ["c", "a"], "user.liked": ["a", "a"]}),
        pa.table({"context.device": ["tv"]}),
    ]
    features = describe_features(SPECS, tables)
    assert [f"{f.entity}.{f.name}" for f in features] == [s.key for s in SPECS]
    pair, liked, brand, device, owner = features
    assert owner.vocabulary == brand.vocabulary == ("a", "b")
    assert liked.share == "ad.brand"
    assert (pair.num_codes, device.vocabulary) == (10_001, ("tv",))
    schema = Schema("s", "string", "string", (), features=features)
    ads = named_columns(tables[0], schema)
    users = named_columns(tables[1], schema)
    columns = {(f.entity, f.name): f.column for f in schema.features}
    assert ads.column_names == [columns["ad", "brand"]]
    assert users.column_names == [
        columns["user", "brand"],
        columns["user", "liked"],
    ]
    assert columns["ad", "brand"] != columns["user", "brand"]


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (
            [spec("a"), spec("a", "number")],
            "names of their own. Received: 'a' twice for the ad. Rename one.",
        ),
        (
            [spec("a", share="b")],
            "'b' for 'a', which names no feature. Name one of a.",
        ),
        (
            [*SPECS[2:], spec("x", share="brand")],
            "'brand' for 'x', which names several. Name one of user.brand, ad.",
        ),
        (
            [spec("a", share="b"), spec("b", share="c"), spec("c", share="a")],
            "in a circle. Received: 'a', 'b', 'c'.",
        ),
        ([spec("a", share="a")], "in a circle. Received: 'a'."),
    ],
)
def test_references_that_cannot_be_followed(specs, message):
    with pytest.raises(InputError, match=message):
        in_order(specs)


NAMES = st.text(min_size=1, max_size=6) | st.sampled_from(
    ["a", "A", "ad.a", "user.ad.a", "user_id", "title", "new_a", "a_keys"]
)
ENTITIES = st.sampled_from(["ad", "user", "context", "candidate", "event"])


@given(st.lists(st.tuples(ENTITIES, NAMES), unique=True, max_size=12))
def test_any_names_come_to_columns_of_their_own(names):
    specs = [spec(name, entity=entity) for entity, name in names]
    table = pa.table({s.key: [s.name] for s in specs})
    features = describe_features(specs, [table])
    schema = Schema("s", "string", "string", (), features=features)
    named = named_columns(table, schema)
    assert len(set(named.column_names)) == len(names)
    for feature in schema.features:
        assert named[feature.column].to_pylist() == [feature.name]
    assert Schema.from_json(schema.to_json()) == schema


VALUES = st.sampled_from(["0", "1", "", "x", "-1", "2.5", "1e400", "a", "nan"])


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=20))
def test_every_row_is_kept_or_refused(values):
    table = pa.table(
        {
            name: pa.array([row[place] for row in values], pa.string())
            for place, name in enumerate("xyz")
        }
    )
    rows = RawRows("file", "rows", table, np.arange(1, len(table) + 1))
    checks.labels(rows, "x")
    weights = checks.weights(rows, "y")
    ids = checks.ids(rows, "z", "string")
    checks.first_of_each(rows, ids, "user")
    ledger = Ledger()
    kept = rows.settle(ledger, needed=False)
    (count,) = ledger.counts
    assert count.read == len(values) == count.kept + count.rejected
    assert count.kept == kept.sum()
    # By the rules themselves, row by row.
    seen, expected = set(), []
    for label, weight, user in values:
        good = label in ("0", "1") and weight in ("0", "1", "2.5") and user
        good = bool(good) and user not in seen
        if good:
            seen.add(user)
        expected.append(good)
    assert kept.tolist() == expected
    assert np.isfinite(weights.to_numpy()).all()
