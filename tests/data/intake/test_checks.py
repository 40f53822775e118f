import datetime
import math

import numpy as np
import pyarrow as pa
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.columns import filter_lists, list_parents
from tfadrec.data.intake import checks
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows


def raw(values, kind=None):
    table = pa.table({"x": pa.array(values, kind)})
    return RawRows("file", "rows", table, np.arange(1, len(table) + 1))


def outcome(rows, column):
    """The column's kept values, and the reasons of the others."""
    ledger = Ledger()
    kept = rows.settle(ledger, needed=False)
    reasons = [r["reason"] for r in ledger.rejects().to_pylist()]
    return column.filter(pa.array(kept)).to_pylist(), reasons


def test_string_ids():
    rows = raw(["a", "", None, " 7"])
    column = checks.ids(rows, "x", "string")
    assert outcome(rows, column) == (["a", " 7"], ["x is missing"] * 2)


@pytest.mark.parametrize(
    ("values", "kind", "kept", "reasons"),
    [
        (
            [" 7", "-8 ", " 9.00 ", "", "7.5", "seven", "9" * 19],
            None,
            [7, -8, 9],
            ["x is missing"] + ["x is no integer"] * 3,
        ),
        ([7, None], pa.int32(), [7], ["x is missing"]),
        ([17850.0, None], pa.float64(), [17850], ["x is missing"]),
        ([1.5, 2.0], pa.float64(), [2], ["x is no integer"]),
    ],
)
def test_integer_ids(values, kind, kept, reasons):
    rows = raw(values, kind)
    column = checks.ids(rows, "x", "int64")
    assert column.type == pa.int64()
    assert outcome(rows, column) == (kept, reasons)


def test_string_ids_of_numbers():
    rows = raw([17850.0, None], pa.float64())
    assert outcome(rows, checks.ids(rows, "x", "string"))[0] == ["17850"]


def test_first_of_each():
    # The first "a" is refused for another reason, so the second stands.
    rows = raw(["a", "b", "a", "a", "b"])
    rows.refuse(np.array([True, False, False, False, False]), "other")
    column = checks.ids(rows, "x", "string")
    checks.first_of_each(rows, column)
    assert rows.kept.tolist() == [False, True, True, False, False]
    _, reasons = outcome(rows, column)
    assert reasons == ["other"] + ["ad id repeats an earlier one"] * 2


def test_first_of_each_user():
    rows = raw(["u", "u"])
    column = checks.ids(rows, "x", "string")
    checks.first_of_each(rows, column, "user")
    assert outcome(rows, column) == (["u"], ["user id repeats an earlier one"])


def test_known_ads():
    rows = raw(["a", "c", "b"])
    column = checks.ids(rows, "x", "string")
    checks.known_ads(rows, column, pa.array(["a", "b"]))
    assert outcome(rows, column) == (
        ["a", "b"],
        ["ad id is not in the catalogue"],
    )


@pytest.mark.parametrize(
    ("values", "kind", "kept", "odd", "missing"),
    [
        (["0", "1", "1.0", "2", "", "ja", "-0.5"], None, [0, 1, 1], 3, 1),
        (["yes", "NO", "t", "F", "y", "n", "On"], None, [1, 0] * 3 + [1], 0, 0),
        ([" ", None, "True"], pa.string(), [1], 0, 2),
        ([0, 1, 2, None], pa.int64(), [0, 1], 1, 1),
        ([0.0, 1.0, 0.5, math.nan], pa.float64(), [0, 1], 1, 1),
        ([True, False, None], pa.bool_(), [1, 0], 0, 1),
    ],
)
def test_labels(values, kind, kept, odd, missing):
    rows = raw(values, kind)
    column = checks.labels(rows, "x")
    assert column.type == pa.int8()
    found, reasons = outcome(rows, column)
    assert found == kept
    assert sorted(reasons) == (
        ["x has no label"] * missing + ["x is not 0 or 1"] * odd
    )


def test_positions():
    rows = raw(["0", "12", "-1", "1.5", "top", ""])
    assert outcome(rows, checks.positions(rows, "x")) == (
        [0, 12],
        ["x is no integer from 0 on"] * 4,
    )


def test_splits():
    rows = raw(["train", "valid", "test", "Train", ""])
    assert outcome(rows, checks.splits(rows, "x")) == (
        ["train", "valid", "test"],
        ["x is not train, valid or test"] * 2,
    )


# 2019-11-15 10:22:32 UTC; date -u -d ... +%s
NOON = 1_573_813_352
UNREADABLE = "x is no time that can be read"
OUT_OF_RANGE = "x is not in seconds from 1970 to 9999"


@pytest.mark.parametrize(
    ("values", "kind", "kept", "reasons"),
    [
        (
            [
                str(NOON),
                "2019-11-15 10:22:32",
                "2019-11-15T10:22:32.987654321Z",
                "2019-11-15T12:22:32+02:00",
                "2019-11-15T10:22",
                "2019-11-15",
            ],
            None,
            [NOON, NOON, NOON, NOON, NOON - 32, NOON - 37352],
            [],
        ),
        (
            [
                "",
                "soon",
                "2019-02-30",
                "2019-02-29",
                "2019-13-01",
                "2019-00-01",
                "2019-01-00",
                "2019-11-15 25:00",
                "2019-11-15 12:60",
                "2019-11-15 12:00:00+24:00",
                "2019-11-15 12",
                "15.11.2019",
            ],
            None,
            [],
            [UNREADABLE] * 12,
        ),
        (["-1", "1573813352000", "0"], None, [0], [OUT_OF_RANGE] * 2),
        ([NOON, None], pa.int64(), [NOON], [UNREADABLE]),
        ([NOON + 0.75, math.nan], pa.float64(), [NOON], [UNREADABLE]),
        ([NOON, None], pa.timestamp("s"), [NOON], [UNREADABLE]),
        ([NOON * 10**3 + 999], pa.timestamp("ms"), [NOON], []),
        ([NOON * 10**6], pa.timestamp("us", "Asia/Tokyo"), [NOON], []),
        ([NOON * 10**9 + 1], pa.timestamp("ns"), [NOON], []),
        ([datetime.date(2019, 11, 15)], pa.date32(), [NOON - 37352], []),
    ],
)
def test_timestamps(values, kind, kept, reasons):
    rows = raw(values, kind)
    column = checks.timestamps(rows, "x")
    assert column.type == pa.int64()
    assert outcome(rows, column) == (kept, reasons)


@pytest.mark.parametrize(
    ("values", "unit", "noted"),
    [
        (["2019", "2020", "soon"], None, True),  # years
        (["44000.5", "43999"], None, True),  # days
        (["202001"], None, True),
        (["1573813352", "5"], None, False),
        (["2019", "2020"], "s", False),
        (["1573813352", "5"], "ms", True),  # seconds
        (["1573813352000"], "ms", False),
        (["soon"], None, False),
    ],
)
def test_numbers_that_hardly_are_seconds(values, unit, noted):
    rows = raw(values)
    checks.timestamps(rows, "x", unit=unit)
    ledger = Ledger()
    rows.settle(ledger, needed=False)
    assert ("all times of x lie in 1970" in "".join(ledger.notes)) == noted


def test_iso_times_equal_the_standard_library():
    rng = np.random.default_rng(0)
    times, expected = [], []
    for second in rng.integers(0, 253402300800, 500).tolist():
        zone = datetime.timezone(
            datetime.timedelta(minutes=int(rng.integers(-1439, 1440)))
        )
        try:
            time = datetime.datetime.fromtimestamp(second, zone)
        except (ValueError, OverflowError):
            continue
        times.append(time.isoformat())
        expected.append(second)
    rows = raw(times)
    assert outcome(rows, checks.timestamps(rows, "x")) == (expected, [])
    assert len(times) > 490


def test_big_integers_beside_iso_text_are_exact():
    rows = raw([str(NOON), "2019-11-15", "253402300799"])
    assert outcome(rows, checks.timestamps(rows, "x"))[0] == [
        NOON,
        NOON - 37352,
        253402300799,
    ]


def test_timestamps_in_a_format():
    rows = raw(
        [
            "11/15/2019 10:22:32 AM",
            "11/15/2019 10:22:32 PM",
            "1/2/2019 1:02:03 AM",
            "02/29/2020 12:00:00 AM",
            "02/30/2019 10:22:32 AM",
            "13/15/2019 10:22:32 AM",
            "11/15/2019 10:22:32 AM and more",
            "",
        ]
    )
    column = checks.timestamps(rows, "x", "%m/%d/%Y %I:%M:%S %p")
    assert outcome(rows, column) == (
        [NOON, NOON + 43200, 1546390923, 1582934400],
        [f"{UNREADABLE} as '%m/%d/%Y %I:%M:%S %p'"] * 4,
    )


def test_texts():
    rows = raw(["a", "", None])
    assert checks.texts(rows, "x").to_pylist() == ["a", "", ""]


@pytest.mark.parametrize(
    "check",
    [
        lambda rows: checks.ids(rows, "x", "string"),
        lambda rows: checks.texts(rows, "x"),
        lambda rows: checks.labels(rows, "x"),
        lambda rows: checks.timestamps(rows, "x"),
        lambda rows: checks.weights(rows, "x"),
        lambda rows: checks.positions(rows, "x"),
        lambda rows: checks.splits(rows, "x"),
        lambda rows: checks.lists(rows, "x", " "),
    ],
)
def test_nested_columns(check):
    with pytest.raises(InputError, match="file: 'x': a column must hold texts"):
        check(raw([[[1]], [[2]]]))


def test_a_time_is_no_number():
    rows = raw([datetime.date(2019, 11, 15)])
    assert outcome(rows, checks.labels(rows, "x"))[0] == []


def test_numbers():
    # 1e39 is finite, but not as the float32 that a model reads.
    rows = raw([" 1.5", "-2e3", "+.5", "", "nan", "1,5", "1e39"])
    column = checks.numbers(rows, "x")
    assert column.type == pa.float64()
    assert outcome(rows, column) == (
        [1.5, -2000.0, 0.5],
        ["x is no number within ±3.4e38"] * 4,
    )


def test_weights():
    rows = raw([0.0, 2.5, -0.1, math.inf, math.nan, 1e39, None])
    assert outcome(rows, checks.weights(rows, "x")) == (
        [0.0, 2.5],
        ["x is no number from 0 to 3.4e38"] * 5,
    )


@pytest.mark.parametrize(
    "values",
    [["a|b", "", None, "c||d"], [["a", "b"], [], None, ["c", "", None, "d"]]],
)
def test_lists(values):
    rows = raw(values)
    lists = checks.lists(rows, "x", "|")
    assert lists.to_pylist() == [["a", "b"], [], [], ["c", "d"]]
    assert list_parents(lists).tolist() == [0, 0, 3, 3]
    keep = np.array([False, True, True, False])
    kept = filter_lists(lists, keep)
    assert kept.to_pylist() == [["b"], [], [], ["c"]]
