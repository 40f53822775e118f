import datetime

import pyarrow as pa
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.intake.times import check_format, check_zone, read_times

DAY = 86_400
#: 2020-01-02 and 2020-07-02 at midnight UTC: 18,262 and 18,444 days.
JANUARY, JULY = 18_263 * DAY, 18_445 * DAY


def read(values, time_format=None, timezone=None, kind=None, unit=None):
    column = pa.chunked_array([pa.array(values, kind)])
    times = read_times(column, time_format, timezone, "t of f", unit)
    return times.to_pylist()


def test_the_days_are_right():
    for day, seconds in (((2020, 1, 2), JANUARY), ((2020, 7, 2), JULY)):
        since = datetime.date(*day) - datetime.date(1970, 1, 1)
        assert since.days * DAY == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1577836800", 1_577_836_800),
        ("1577836800.9", 1_577_836_800),
        ("1.5778368e9", 1_577_836_800),
        ("-0.5", -1),
        ("1e30", None),
        ("nan", None),
        ("2020-01-02", JANUARY),
        ("2020-01-02 00:00", JANUARY),
        ("2020-01-02T00:00:07.25Z", JANUARY + 7),
        ("2020-01-02T02:00:00+02:00", JANUARY),
        ("2020-01-02 02:00:00+0200", JANUARY),
        ("2020-01-02 02:00:00.123+02", JANUARY),
        ("2020-01-02 02:00:00 +02:00", JANUARY),
        ("2020-01-02 00:00:00 UTC", JANUARY),
        ("2020-01-02 00:00:00 CET", None),
        ("2020-01-32", None),
        ("soon", None),
    ],
)
def test_text_without_a_format(text, seconds):
    assert read([text, "1"]) == [seconds, 1]


@pytest.mark.parametrize(
    ("unit", "second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
@pytest.mark.parametrize("kind", [pa.string(), pa.int64(), pa.float64()])
def test_units_of_numbers(unit, second, kind):
    """What is no whole second is cut off, before 1970 too."""
    numbers = [JULY * second, (JANUARY + 1) * second - 1, -1, 20240131]
    seconds = [JULY, JANUARY, -1, 20240131 // second]
    if kind == pa.string():
        numbers = [str(number) for number in numbers]
    if kind == pa.float64():  # does not hold nanoseconds
        numbers[1] = (JANUARY + 0.5) * second
        numbers = [float(number) for number in numbers]
    assert read([*numbers, None], kind=kind, unit=unit) == [*seconds, None]


def test_a_unit_is_of_numbers_alone():
    assert read(["2020-01-02", "7000"], unit="ms") == [JANUARY, 7]
    times = [JANUARY * 10**6]
    assert read(times, kind=pa.timestamp("us"), unit="ms") == [JANUARY]


@pytest.mark.parametrize(
    ("text", "time_format", "seconds"),
    [
        ("02/01/2020", "%d/%m/%Y", JANUARY),
        ("02/01/2020 00:00:01.500000", "%d/%m/%Y %H:%M:%S.%f", JANUARY + 1),
        ("Thu Jan  2 00:00:03 2020", "%a %b %d %H:%M:%S %Y", JANUARY + 3),
        ("January 2, 2020 12:05 AM", "%B %d, %Y %I:%M %p", JANUARY + 300),
        ("2020-002", "%Y-%j", JANUARY),
        ("2020 W01 4", "%G W%V %u", JANUARY),
        ("2020-01-02 02:00 +0200", "%Y-%m-%d %H:%M %z", JANUARY),
        ("2020-01-02 00:00 UTC", "%Y-%m-%d %H:%M %Z", JANUARY),
        # A zone that only this machine may know.
        ("2020-01-02 00:00 CET", "%Y-%m-%d %H:%M %Z", None),
        ("30/02/2020", "%d/%m/%Y", None),
        ("", "%d/%m/%Y", None),
        ("2020-01-02", "%d/%m/%Y", None),
        ("1/2/20", "%m/%d/%y", JANUARY),
    ],
)
def test_every_letter_of_strptime(text, time_format, seconds):
    assert read([text, text], time_format) == [seconds, seconds]


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.float64()])
def test_a_format_holds_for_integers(kind):
    """21 October 2014, 0 and 23 hours; 9 January 2009 has lost its zero."""
    values = [14102100, 14102123, 9010900, None]
    assert read(values, "%y%m%d%H", kind=kind) == [
        1_413_849_600,
        1_413_849_600 + 23 * 3600,
        1_231_459_200,
        None,
    ]


def test_integers_with_a_format_of_a_year():
    assert read([20200102], "%Y%m%d", kind=pa.int64()) == [JANUARY]
    # Other signs than letters have no known width.
    assert read([2020], "%Y", kind=pa.int64()) == [1_577_836_800]


@pytest.mark.parametrize(
    ("values", "time_format", "kind"),
    [
        (["2020-01-02", "2020-07-02 00:00:00"], None, None),
        (["02.01.2020", "02.07.2020"], "%d.%m.%Y", None),
        (
            [
                datetime.datetime(2020, 1, 2),
                datetime.datetime(2020, 7, 2),
            ],
            None,
            pa.timestamp("ms"),
        ),
        (
            [datetime.date(2020, 1, 2), datetime.date(2020, 7, 2)],
            None,
            pa.date32(),
        ),
    ],
)
def test_local_clocks(values, time_format, kind):
    """Berlin is one hour ahead of UTC in winter, and two in summer."""
    assert read(values, time_format, "Europe/Berlin", kind) == [
        JANUARY - 3600,
        JULY - 7200,
    ]
    assert read(values, time_format, None, kind) == [JANUARY, JULY]


@pytest.mark.parametrize(
    ("values", "time_format", "kind", "seconds"),
    [
        (["2020-07-02T00:00:00Z", "5"], None, None, [JULY, 5]),
        (["2020-07-02 00 +0000"], "%Y-%m-%d %H %z", None, [JULY]),
        ([JULY], None, pa.int64(), [JULY]),
        ([JULY * 1000], None, pa.timestamp("ms", "UTC"), [JULY]),
    ],
)
def test_what_states_its_zone_keeps_it(values, time_format, kind, seconds):
    assert read(values, time_format, "Europe/Berlin", kind) == seconds


def test_hours_that_come_twice_or_never():
    """Berlin: clocks go on at 2:00 on 29 March, back at 3:00 on 25 October."""
    spring, autumn = 18_350 * DAY, 18_560 * DAY
    assert read(
        ["2020-03-29 02:30:00", "2020-10-25 02:30:00", "2020-10-25 03:00:00"],
        None,
        "Europe/Berlin",
    ) == [spring + 5400, autumn + 1800, autumn + 7200]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["03/04/2024", "05/06/2024", ""],
            "'03/04/2024' .* which number is the day cannot be told. Write "
            '.*%d/%m/%Y.*, or "%m/%d/%Y"',
        ),
        (["13.04.24 5:00", "01.02.24"], 'the first .* "%d.%m.%y"}`, and what'),
        (["4-13-2024", "1-2-2024"], 'the second .* "%m-%d-%Y"}`, and what'),
        (["20240131", "20231224"], "'20240131' .* which look like dates"),
    ],
)
def test_dates_whose_format_must_be_known(values, message):
    with pytest.raises(InputError, match=message) as caught:
        read(values)
    assert "\n" not in str(caught.value)


def test_integers_that_are_dates():
    with pytest.raises(InputError, match="must hold seconds, or have a"):
        read([20240131, None], kind=pa.int64())


def test_dates_that_come_late_in_a_column():
    with pytest.raises(InputError, match="must hold seconds, or have a"):
        read([None] * 3000 + [20240131], kind=pa.int64())
    found = read([20240131] * 3000 + [20240199], kind=pa.int64())
    assert found[-1] == 20240199


@pytest.mark.parametrize(
    "time_format", ["%Q", "%", "%Y %Y", "%G-%V", "%s", "%Y\0"]
)
def test_formats_that_cannot_be_followed(time_format):
    with pytest.raises(InputError, match="x must be a format of Python's"):
        check_format(time_format, "x")


def test_formats_that_can():
    for letter in "aAwdbBmHIpMSfzZjUWX%":
        check_format(f"%Y %{letter}", "x")
    for whole in ("%y", "%c", "%x", "%G-W%V-%u"):
        check_format(whole, "x")


@pytest.mark.parametrize("time_format", ["%H:%M", "%d.%m. %H:%M", "%d %b"])
def test_formats_without_a_year(time_format):
    with pytest.raises(InputError, match="x must tell the year, by %Y or %y"):
        check_format(time_format, "x")


@pytest.mark.parametrize("name", ["Berlin", "", "../etc/passwd", "a\0"])
def test_zones_that_are_unknown(name):
    with pytest.raises(InputError, match="x must be a time zone by its IANA"):
        check_zone(name, "x")
