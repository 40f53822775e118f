import dataclasses
import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.data.intake import checks
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.row_filter import read_filters


def wanted(values, condition, kind=None, decimal=".", **time):
    table = pa.table({"x": pa.array(values, kind)})
    rows = RawRows("f", "rows", table, np.arange(len(table)))
    rows.decimal = decimal
    (found,) = read_filters({"x": condition}, "ads.where")
    found = dataclasses.replace(found, **time)
    return [
        v for v, w in zip(values, found.wanted(rows).tolist(), strict=True) if w
    ]


TEXTS = ["DE", "AT", "", None, "5", "5.0", "-1", "true", "True", ">0"]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("DE", ["DE"]),
        (["DE", "AT"], ["DE", "AT"]),
        ("", ["", None]),
        ({"not": ["", "DE"]}, ["AT", "5", "5.0", "-1", "true", "True", ">0"]),
        ({"not": "DE"}, TEXTS[1:]),
        (5, ["5", "5.0"]),
        ("5", ["5"]),
        (True, ["true", "True"]),
        ([True, "DE"], ["DE", "true", "True"]),
        (">0", ["5", "5.0"]),
        (">= -1 <5", ["-1"]),
        ("<=-1", ["-1"]),
        ([">0"], [">0"]),
        (["=>0", "5"], ["5"]),
    ],
)
def test_conditions_on_text(condition, kept):
    assert wanted(TEXTS, condition) == kept


def test_words_that_yaml_reads_as_true_and_false():
    condition = yaml.safe_load("[DE, NO, yes]")
    assert condition == ["DE", False, True]
    found = wanted(["DE", "NO", "Yes", "AT", "0", "2"], condition)
    assert found == ["DE", "NO", "Yes", "0"]
    assert wanted(["DE", "NO"], {"not": condition[1]}) == ["DE"]


@pytest.mark.parametrize(
    ("values", "kind", "condition", "kept"),
    [
        ([1, 2, None, 3], pa.int64(), ">1", [2, 3]),
        ([1, 2, None, 3], pa.int64(), [1, 3], [1, 3]),
        ([1.5, 2.0, None], pa.float64(), 2, [2.0]),
        ([1.5, 2.0, None], pa.float64(), 1.5, [1.5]),
        ([True, False, None], pa.bool_(), False, [False]),
        # Labels read these as true, too.
        ([1, 0, 2, None], pa.int8(), True, [1]),
        (["true", "1", "1.0", "0", "11"], None, True, ["true", "1", "1.0"]),
        ([1.0, 0.0, None], pa.float64(), {"not": False}, [1.0, None]),
        ([2**60 + 1, 2**60], pa.int64(), str(2**60), [2**60]),
        # One float is several integers.
        ([2**60 + 1, 2**60], pa.int64(), 2**60, [2**60]),
        ([2**60 + 1, 2**60], pa.int64(), float(2**60), [2**60]),
        ([str(2**60 + 1), "1e3", "1e30"], None, 2**60, []),
        (["1e3", "1e30", ""], None, [10**3, 10**30], ["1e3", "1e30"]),
        ([1e16, 1.0], pa.float64(), 10**16, [1e16]),
        # A column of half as many bits has a tenth of its own.
        ([0.1, 0.2, None], pa.float32(), 0.1, [0.1]),
        ([0.1, 0.2, None], pa.float32(), {"not": 0.1}, [0.2, None]),
        ([0.1, 0.2, None], pa.float32(), "<=0.1", [0.1]),
        (
            [decimal.Decimal("0.30"), decimal.Decimal("1152921504606846977")],
            pa.decimal128(21, 2),
            [0.3, 2**60],
            [decimal.Decimal("0.30")],
        ),
    ],
)
def test_conditions_on_other_columns(values, kind, condition, kept):
    assert wanted(values, condition, kind) == kept


COMMAS = ["0,5", "0.5", "1.234", "1234", "1.234,0", "7,0", "x", "", None]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        (0.5, ["0,5", "0.5"]),
        (1234, ["1.234", "1234", "1.234,0"]),
        ({"not": [0.5, 1234]}, ["7,0", "x", "", None]),
        (["x", 7], ["7,0", "x"]),
        (">=7", ["1.234", "1234", "1.234,0", "7,0"]),
        # A text is a text.
        ("0,5", ["0,5"]),
        ("0.5", ["0.5"]),
        ({"not": "1.234"}, [c for c in COMMAS if c != "1.234"]),
    ],
)
def test_numbers_are_compared_as_the_file_writes_them(condition, kept):
    """With a decimal comma, whoever else reads the column."""
    assert wanted(COMMAS, condition, decimal=",") == kept


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        (
            ["2020-01-30", "2020-01-31 00:00:01", "2020-02-01", "soon", ""],
            None,
            ["2020-01-31 00:00:01"],
        ),
        ([1_580_428_799, 1_580_428_800, None], pa.int64(), [1_580_428_800]),
        (
            [datetime.date(2020, 1, day) for day in (30, 31)],
            pa.date32(),
            [datetime.date(2020, 1, 31)],
        ),
    ],
)
def test_conditions_on_times(values, kind, kept):
    assert wanted(values, ">=2020-01-31 <2020-02-01", kind) == kept


@pytest.mark.parametrize(
    ("values", "kind", "time", "kept"),
    [
        (
            [1_580_428_799_999, 1_580_428_800_000, None],
            pa.int64(),
            {"unit": "ms"},
            [1_580_428_800_000],
        ),
        (
            ["1580428800000000", "1580428799999999"],
            None,
            {"unit": "us"},
            ["1580428800000000"],
        ),
        (
            ["31.01.2020", "01.02.2020", "30.01.2020"],
            None,
            {"time_format": "%d.%m.%Y"},
            ["31.01.2020"],
        ),
        # Days begin an hour earlier there, whether the time says so or not.
        (
            ["2020-01-31 00:00", "2020-01-30T23:00Z", "2020-01-30T22:59Z"],
            None,
            {"timezone": "Europe/Berlin"},
            ["2020-01-31 00:00", "2020-01-30T23:00Z"],
        ),
    ],
)
def test_conditions_on_times_of_a_known_kind(values, kind, time, kept):
    assert wanted(values, ">=2020-01-31 <2020-02-01", kind, **time) == kept


def test_numbers_that_are_no_seconds():
    with pytest.raises(InputError, match=r'x of f .* as ">=1580428800000"'):
        wanted([1_580_428_800_000, 1, 2**41], ">=2020-01-31", pa.int64())
    # One that is larger than what a float counts exactly is none, too.
    assert wanted([1, 2, 2**53 + 1], ">=2020-01-31", pa.int64()) == [2**53 + 1]


@pytest.mark.parametrize(
    "content",
    [
        3,
        {},
        [">0"],
        {"x": None},
        {"x": []},
        {"x": [[1]]},
        {"x": ">"},
        {"x": "=>0"},
        {"x": "=<0"},
        {"x": "==0"},
        {"x": "<>0"},
        {"x": " != 0"},
        {"x": ">a"},
        {"x": ">2020-13-01"},
        {"x": ">2020-01-01 <5"},
        {"x": ">0 and <3"},
        {"x": {"is": 3}},
        {"x": {"not": None}},
        {"x": {"not": ">=0 <5"}},
        {"x": {"not": "==5"}},
        {3: "x"},
        {"": "x"},
    ],
)
def test_conditions_that_cannot_be_read(content):
    with pytest.raises(InputError, match=r"ads\.where.* must (be a|give)"):
        read_filters(content, "ads.where")


@pytest.mark.parametrize(
    ("condition", "mend"),
    [
        ({"not": ">=0.5"}, 'Write "<0.5"; a text that begins'),
        ({"not": " < 2020-01-31"}, 'Write ">=2020-01-31";'),
        ({"not": ">0,5"}, 'Write "<=0.5";'),
        (">=0,5", 'Write ">=0.5", with a point before decimals;'),
        (">0 <1,5", 'Write ">0 <1.5", with a point before decimals;'),
        (">a", "Write one of these;"),
    ],
)
def test_what_to_write_instead(condition, mend):
    with pytest.raises(InputError) as caught:
        read_filters({"x": condition}, "ads.where")
    assert f"Received: {condition!r}. {mend}" in str(caught.value)


def test_a_text_like_a_comparison_is_negated_in_a_list():
    assert wanted(TEXTS[-2:], {"not": [">0"]}) == ["True"]


def rows_of(number, refused=()):
    table = pa.table({"x": list(range(number))})
    rows = RawRows("f", "rows", table, np.arange(2, number + 2))
    bad = np.zeros(number, bool)
    bad[list(refused)] = True
    rows.refuse(bad, "no x")
    return rows


def test_left_out_rows_are_counted():
    rows = rows_of(10, refused=[0])
    rows.broken = ((99, "short", "text"),)
    rows.leave_out(rows["x"].to_numpy() < 3, "x")  # Row 0 is refused already.
    assert rows["x"].to_pylist() == [0, 3, 4, 5, 6, 7, 8, 9]
    ledger = Ledger()
    assert rows.settle(ledger).tolist() == [False] + [True] * 7
    (count,) = ledger.counts
    assert (count.read, count.kept, count.rejected, count.left_out) == (
        11,
        7,
        2,
        2,
    )
    assert [r["line"] for r in ledger.rejects().to_pylist()] == [2, 99]


@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        (decimal.Decimal("0.00000001"), pa.decimal128(10, 8), "0.00000001"),
        (1e-8, pa.float64(), "0.00000001"),
        (2.5, pa.float64(), "2.5"),
    ],
)
def test_a_small_number_is_shown_without_exponent(value, kind, told):
    rows = rows_of(1)
    column = pa.array([value], kind)
    rows.table = rows.table.append_column("y", column)
    rows.leave_out(np.ones(1, bool), "y")
    with pytest.raises(InputError, match=rf"those with y '{told}'\."):
        rows.settle(Ledger())


def test_no_row_is_wanted():
    rows = rows_of(3)
    rows.table = rows.table.append_column("y", [list("abc")])
    rows.leave_out(np.arange(3) < 2, "x")
    rows.leave_out(np.ones(1, bool), "y")
    such = "with x '0' or y 'c'"
    mend = "Compare with what stands in the file, or leave the condition out"
    with pytest.raises(InputError, match=f"leave rows of f.* {such}. {mend}"):
        rows.settle(Ledger())
    assert not rows.settle(Ledger(), needed=False).any()


@pytest.mark.parametrize(
    ("number", "refused", "limit", "stops"),
    [
        (20, 1, 0.05, False),
        (19, 1, 0.05, True),
        (100, 6, 0.05, True),
        (100, 6, 0.06, False),
        (3, 1, 0.0, True),
        (3, 0, 0.0, False),
        (3, 2, 1.0, False),
    ],
)
def test_the_share_that_may_be_refused(number, refused, limit, stops):
    rows = rows_of(number, range(refused))
    if not stops:
        rows.settle(Ledger(), max_rejected=limit)
        return
    with pytest.raises(InputError, match="of the rows of f may be refused"):
        rows.settle(Ledger(), max_rejected=limit)


def test_rows_that_are_left_out_do_not_count_for_the_share():
    rows = rows_of(20, [0])
    rows.leave_out(rows["x"].to_numpy() == 19, "x")
    with pytest.raises(InputError, match="Received: 1 of 19;"):
        rows.settle(Ledger(), max_rejected=0.05)


def test_what_is_said_of_too_many_refused_rows():
    rows = rows_of(9, [4])
    rows.refuse(rows["x"].to_numpy() >= 6, "t is no time that can be read")
    with pytest.raises(InputError) as caught:
        rows.settle(Ledger(), max_rejected=0.05, allow="ads.max_rejected")
    assert str(caught.value) == (
        "at most 5 % of the rows of f may be refused. Received: 4 of 9; the "
        "commonest reason, 3 times, is 't is no time that can be read', such "
        "as in line 8 (6). Give the `format` of the times, or mend the file, "
        "or allow it with ads.max_rejected: 0.45."
    )


def test_what_is_said_of_weights_with_a_decimal_comma():
    rows = rows_of(3)
    rows.table = rows.table.append_column("w", [["0,5", "1,5", "2"]])
    checks.weights(rows, "w")
    with pytest.raises(InputError, match=r'Add `decimal: ","`, or'):
        rows.settle(Ledger(), max_rejected=0.05)
    rows = rows_of(3)
    rows.decimal = ","
    rows.table = rows.table.append_column("w", [["0,5", "1,5", "2"]])
    assert checks.weights(rows, "w").to_pylist() == [0.5, 1.5, 2.0]
