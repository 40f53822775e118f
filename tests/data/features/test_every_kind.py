"""What holds for every kind and every column."""

import numpy as np
import pyarrow as pa
import pytest
from data.features import raw_columns
from data.features.reading import decode, describe, encode
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data.features import KINDS, missing_like

BRAND = Feature("brand", "ad", "category", vocabulary=("", "a", "b"))
#: kind -> its columns, and what describes them.
CASES = {
    "category": (raw_columns.plain(), {}),
    "category, rare": (raw_columns.texts(), {"min_count": 2}),
    "categories": (raw_columns.lists() | raw_columns.texts(), {}),
    "categories, weighted": (
        raw_columns.maps() | raw_columns.texts(),
        {"weighted": True, "max_values": 3},
    ),
    "number": (raw_columns.numbers() | raw_columns.plain(), {}),
    "number, log": (raw_columns.numbers(), {"log1p": True}),
    "number, buckets": (raw_columns.numbers(), {"buckets": 3}),
    "number, bounds": (raw_columns.numbers(), {"bounds": [-1, 0.5]}),
    "vector": (raw_columns.vectors() | raw_columns.lists(), {}),
    "lookup": (
        raw_columns.maps() | raw_columns.texts(),
        {"of": ("brand",), "entity": "user", "max_values": 3},
    ),
}


def typed(kind, column, changes):
    return KINDS[kind].parse(column, " ", {k: changes[k] for k in changes})


def described(kind, column, changes):
    """The feature, or None where there is nothing to describe."""
    if kind == "vector" and not column.null_count < len(column):
        with pytest.raises(InputError, match="must hold vectors"):
            describe(kind, column)
        return None
    return describe(kind, column, {"brand": BRAND}, **changes)


def again(columns, feature):
    """The typed column that a decoded one stands for."""
    raw = decode(columns, feature)
    if feature.kind == "lookup":
        keys, values = raw["x_keys"], raw["x_values"]
    elif feature.weighted:
        keys, values = raw["x"], raw["x_weights"]
    else:
        rows = raw["x"].tolist()
        kinds = {
            "category": pa.string(),
            "categories": pa.list_(pa.string()),
            "number": pa.float64(),
            "vector": pa.large_list(pa.float32()),
        }
        return pa.array(rows, kinds[feature.kind])
    rows = [
        list(zip(*row, strict=True))
        for row in zip(keys.tolist(), values.tolist(), strict=True)
    ]
    return pa.array(rows, pa.map_(pa.string(), pa.float64()))


@pytest.mark.parametrize("case", CASES)
def test_any_column_is_read_and_written_again(case):
    columns, changes = CASES[case]
    kind = case.partition(",")[0]

    @settings(max_examples=40)
    @given(columns, columns)
    def holds(column, other):
        parsed, broken = typed(kind, column, changes)
        assert len(parsed) == len(broken) == len(column)
        assert broken.dtype == bool
        feature = described(kind, parsed, changes)
        if feature is None:
            return
        unseen, _ = typed(kind, other, changes)
        if kind in ("categories", "vector") and unseen.type != parsed.type:
            return
        for values in (parsed, unseen):
            if kind == "vector" and values is unseen:
                continue
            encoded = encode(values, feature)
            for name, array in encoded.items():
                assert len(array) == len(values)
                assert array.dtype in (np.int32, np.float32)
                if array.dtype == np.int32:
                    assert ((array >= 0) & (array < feature.num_codes)).all()
                elif kind == "number":
                    assert not np.isinf(array).any()
                else:
                    assert np.isfinite(array).all(), name
            twice = encode(again(encoded, feature), feature)
            for name, array in encoded.items():
                if array.dtype == np.int32:
                    np.testing.assert_array_equal(twice[name], array)
                else:
                    np.testing.assert_allclose(
                        twice[name], array, rtol=1e-5, atol=1e-5
                    )
            # A missing value has the same shape and type as a known one.
            for name, array in missing_like(encoded).items():
                assert array.shape == (1, *encoded[name].shape[1:])
                assert array.dtype == encoded[name].dtype

    holds()


@pytest.mark.parametrize("kind", [k for k in KINDS if not KINDS[k].derived])
def test_a_column_of_any_type_is_parsed_or_refused_in_words(kind):
    any_column = st.one_of(
        raw_columns.plain(), raw_columns.lists(), raw_columns.maps()
    )

    @settings(max_examples=60)
    @given(any_column)
    def holds(column):
        nested = pa.types.is_nested(column.type)
        try:
            parsed, _ = KINDS[kind].parse(column, " ", {})
        except InputError:
            assert nested
        else:
            assert len(parsed) == len(column)

    holds()


@settings(max_examples=5)
@given(raw_columns.texts(), st.integers(1, 50))
def test_hash_buckets_are_read_and_written_again(column, buckets):
    for kind in ("category", "categories"):
        parsed, _ = typed(kind, column, {})
        feature = described(kind, parsed, {"buckets": buckets})
        encoded = encode(parsed, feature)
        assert (encoded["x"] <= buckets).all()
        twice = encode(again(encoded, feature), feature)
        np.testing.assert_array_equal(twice["x"], encoded["x"])
