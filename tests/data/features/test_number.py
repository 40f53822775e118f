import datetime
import math

import numpy as np
import pyarrow as pa
import pytest
from data.features.reading import decode, describe, encode, parse

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data.features import number


@pytest.mark.parametrize(
    ("values", "kind", "expected", "unreadable"),
    [
        (
            [" 1.5", "-2e3", "+.5", "", None, "nan", "1,5"],
            None,
            [1.5, -2000.0, 0.5, None, None, None, None],
            [5, 6],
        ),
        ([3, None], pa.int8(), [3.0, None], []),
        ([1.5, math.inf, None], pa.float64(), [1.5, None, None], [1]),
        ([1e100, 1.1e100], pa.float64(), [1e100, None], [1]),
        ([True, False], pa.bool_(), [1.0, 0.0], []),
        ([datetime.date(2020, 1, 1)], None, [None], [0]),
    ],
)
def test_parse(values, kind, expected, unreadable):
    column, broken = parse("number", values, kind)
    assert column.to_pylist() == expected
    assert np.flatnonzero(broken).tolist() == unreadable


def test_a_standardised_number():
    column, _ = parse("number", [1.0, 3.0, None])
    feature = describe("number", column)
    # Mean 2, deviation 1; what is outside of [1, 3] counts as its end.
    assert (feature.mean, feature.std) == (2.0, 1.0)
    assert (feature.low, feature.high) == (1.0, 3.0)
    later, _ = parse("number", [1.0, 2.5, 99.0, -99.0, None])
    values = encode(later, feature)["x"]
    np.testing.assert_array_equal(values, [-1, 0.5, 1, -1, np.nan])
    assert values.dtype == np.float32
    raw = decode({"x": values}, feature)["x"]
    np.testing.assert_allclose(raw, [1, 2.5, 3, 1, np.nan])


@pytest.mark.parametrize("large", [0.0, 1e12, 1e15])
def test_numbers_that_are_large_for_their_spread(large):
    """0, 3, …, 33: mean 16.5 and variance 3² (12² - 1) / 12, all inside."""
    column, _ = parse("number", [large + 3 * i for i in range(12)])
    feature = describe("number", column)
    assert (feature.low, feature.high) == (large, large + 33)
    assert feature.mean == large + 16.5
    assert feature.std == pytest.approx(math.sqrt(9 * 143 / 12))
    values = encode(column, feature)["x"]
    np.testing.assert_allclose(np.diff(values), 3 / feature.std, rtol=1e-5)


def test_numbers_that_are_all_alike_have_the_deviation_1():
    """Also where their mean cannot be had without rounding."""
    feature = describe("number", parse("number", [0.1] * 1001)[0])
    assert (feature.mean, feature.std) == (0.1, 1.0)


@pytest.mark.parametrize("log1p", [False, True])
def test_a_spread_that_is_rounding_is_none(log1p):
    """0.1 + 0.2 is the float above 0.3; a request may bring either."""
    values = [0.1 + 0.2, 0.3] * 50
    assert len(set(values)) == 2
    column, _ = parse("number", values)
    feature = describe("number", column, log1p=log1p)
    assert feature.std == 1.0
    np.testing.assert_allclose(encode(column, feature)["x"], 0, atol=1e-7)


def test_a_spread_that_is_more_than_rounding_counts():
    """1 and 1 + 16 eps: the deviation is 8 eps, and rounding at most 4."""
    eps = np.finfo(float).eps
    column, _ = parse("number", [1.0, 1.0 + 16 * eps])
    feature = describe("number", column)
    assert feature.std == pytest.approx(8 * eps)
    assert encode(column, feature)["x"].tolist() == pytest.approx([-1, 1])


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ([30.0, 18.0, 41.0, 29.5, 0.1, -0.3], {}),
        ([30.0, 18.0, 41.0, 29.5, 0.1, 0.3], {"log1p": True}),
        ([1_580_428_800.0, 1_580_515_200.0, 1_583_020_800.0], {}),
        ([2.5e21, 1e20, 5e20], {}),
    ],
)
def test_numbers_are_told_as_people_write_them(given, settings):
    """As short as what is read as the same float32."""
    column, _ = parse("number", given)
    feature = describe("number", column, **settings)
    encoded = encode(column, feature)["x"]
    raw = decode({"x": encoded}, feature)["x"]
    np.testing.assert_array_equal(encode(pa.array(raw), feature)["x"], encoded)
    for value, written in zip(raw.tolist(), given, strict=True):
        assert len(repr(value)) <= len(repr(written))
    table = decode({"x": encoded[:, None]}, feature)["x"]
    assert table[:, 0].tolist() == raw.tolist()


def test_a_logarithmic_scale():
    # log(1 + 0) = 0 and log(1 + e^2 - 1) = 2: mean 1, deviation 1.
    large = math.expm1(2)
    column, _ = parse("number", [0.0, large])
    feature = describe("number", column, log1p=True)
    assert (feature.mean, feature.std) == pytest.approx((1.0, 1.0))
    assert encode(column, feature)["x"].tolist() == pytest.approx([-1, 1])
    raw = decode({"x": np.float32([-1, 1])}, feature)["x"]
    np.testing.assert_allclose(raw, [0, large], atol=1e-12)
    # -(e - 1) is below the range seen, and so counts as its end, 0.
    later, _ = parse("number", [-math.expm1(1)])
    assert encode(later, feature)["x"].tolist() == pytest.approx([-1])


@pytest.mark.parametrize("value", [5.0, 1e15, 0.1])
def test_a_constant_column(value):
    column, _ = parse("number", [value] * 7)
    feature = describe("number", column)
    assert (feature.mean, feature.std) == (pytest.approx(value), 1.0)
    np.testing.assert_allclose(encode(column, feature)["x"], 0, atol=1e-6)


def test_an_empty_column():
    column, _ = parse("number", [None, ""])
    feature = describe("number", column)
    assert (feature.mean, feature.std) == (0.0, 1.0)
    assert np.isnan(encode(column, feature)["x"]).all()
    # Of what comes later nothing was learned, so all of it is alike.
    later, _ = parse("number", [1e99, -3.0])
    assert encode(later, feature)["x"].tolist() == [0, 0]


def test_one_outlier_does_not_stretch_the_range():
    # Of 1,000 values one is a thousand times larger: about 31 deviations.
    values = [0.0, 1.0] * 500
    values[0] = 1000.0
    column, _ = parse("number", values)
    feature = describe("number", column)
    assert (feature.low, feature.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("values", "outliers"),
    [
        # A bid in 7,071 that is a million: 84 deviations with itself.
        (np.random.default_rng(0).uniform(0.1, 13.5, 7070), [1e6]),
        # In 40 rows none is more than 6.2 deviations away, whatever it is.
        (np.arange(38.0), [1e99, -1e99]),
        # Most rows have no click at all.
        (np.append(np.zeros(900), np.arange(99) % 9 + 1.0), [1e9]),
    ],
)
def test_outliers_do_not_count(values, outliers):
    column, _ = parse("number", [*values, *outliers])
    feature = describe("number", column)
    assert (feature.low, feature.high) == (values.min(), values.max())
    assert feature.mean == pytest.approx(values.mean())
    assert feature.std == pytest.approx(values.std())
    assert encode(column, feature)["x"].std() == pytest.approx(1, rel=0.2)


def test_what_is_rare_is_read_as_ten_deviations():
    # One in 1,001 is 1: 1 / 1001 with a deviation of about 1 / 31.6.
    column, _ = parse("number", [0.0] * 1000 + [1.0])
    feature = describe("number", column)
    assert encode(column, feature)["x"].max() == pytest.approx(10)
    feature = describe("number", column, log1p=True)
    assert encode(column, feature)["x"].max() == pytest.approx(10)


def test_bounds():
    column, _ = parse("number", [0.0, 1.0, 1.5, 2.0, None])
    feature = describe("number", column, bounds=[1, 2.0])
    assert feature.bounds == (1.0, 2.0)
    # Below 1, from 1 on, from 2 on; and 0 for what is missing.
    codes = encode(column, feature)["x"]
    assert codes.tolist() == [1, 2, 2, 3, 0]
    assert codes.dtype == np.int32
    assert feature.num_codes == 4
    raw = decode({"x": codes}, feature)["x"]
    np.testing.assert_array_equal(encode(pa.array(raw), feature)["x"], codes)


def test_buckets_hold_equal_counts():
    column, _ = parse("number", [float(n * n) for n in range(100)])
    feature = describe("number", column, buckets=4)
    codes = encode(column, feature)["x"]
    assert np.bincount(codes).tolist() == [0, 25, 25, 25, 25]
    # By this `join_datasets` tells such bounds from those that were given.
    assert (feature.buckets, feature.num_codes) == (4, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"log1p": 1}, "`log1p` must be true or false. Received: 1 for 'x'"),
        ({"buckets": 1}, "`buckets` of a number must be an integer from 2"),
        ({"buckets": 3, "bounds": [1]}, "go without `bounds`"),
        (
            {"bounds": [2, 1, 2]},
            r"numbers. Received: \[2, 1, 2\]. Write \[1, 2\]",
        ),
        ({"bounds": [1, 1]}, "`bounds` of 'x' must be ascending numbers"),
        (
            {"bounds": 3},
            "`bounds` of 'x' must be ascending numbers. Received: 3",
        ),
        ({"bounds": [True, 5]}, "`bounds` of 'x' must be ascending numbers"),
        ({"bounds": [1], "log1p": True}, "`log1p` with `bounds` for 'x'"),
        ({"buckets": 3, "log1p": True}, "with `buckets` .* Leave `log1p` out"),
        ({"bounds": ["a"]}, "`bounds` of 'x' must be ascending numbers"),
        ({"bounds": [math.nan]}, "`bounds` of 'x' must be ascending numbers"),
    ],
)
def test_bad_settings(settings, message):
    column, _ = parse("number", [1.0])
    with pytest.raises(InputError, match=message):
        describe("number", column, **settings)


def test_lists_are_no_numbers():
    with pytest.raises(InputError, match="must hold texts, numbers or times"):
        parse("number", [[1.0]])


def test_the_largest_number_is_not_lost_in_rounding():
    # log(1 + 1e100) is rounded up in single precision.
    feature = Feature("x", "ad", "number", tensor="x", log1p=True)
    values = encode(pa.array([1e100, -1e100]), feature)["x"]
    again = pa.array(decode({"x": values}, feature)["x"])
    np.testing.assert_array_equal(encode(again, feature)["x"], values)


def test_statistics_of_blocks_are_those_of_all_numbers(monkeypatch):
    values = np.random.default_rng(0).lognormal(5, 1, 1001)
    values[::50] = np.nan
    chunks = pa.chunked_array([values[:7], values[7:700], values[700:]])
    whole = describe("number", pa.chunked_array([values]))
    assert describe("number", chunks) == whole
    known = values[~np.isnan(values)]
    assert (whole.mean, whole.std) == pytest.approx(
        (known.mean(), known.std()), rel=1e-14
    )
    monkeypatch.setattr(number, "_BLOCK", 16)
    blocks = describe("number", chunks)
    assert blocks == describe("number", pa.chunked_array([values]))
    for name in ("low", "high", "mean", "std"):
        assert getattr(blocks, name) == pytest.approx(
            getattr(whole, name), rel=1e-14
        )
    # Bounds are those of some of the numbers, from one part of the column as
    # from another.
    cut = describe("number", pa.chunked_array([np.arange(4096.0)]), buckets=4)
    assert cut.bounds == pytest.approx((1024, 2048, 3072), abs=256)
