"""Times as files write them, to UTC seconds."""

import datetime
import re
import zoneinfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.columns import (
    as_array,
    as_floats,
    as_integers,
    as_mask,
    as_text,
)

_ISO = (
    r"^(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
    r"(?P<zone>Z| ?UTC| ?(?P<sign>[+-])(?P<zone_hour>[0-9]{2})"
    r"(?::?(?P<zone_minute>[0-9]{2}))?)?)?$"
)
#: UTC seconds at which times end.
YEAR_10000 = 253_402_300_800
_LARGEST = 2.0**62
#: Numbers of a unit that make a second.
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
#: Letters that the C library reads as Python does, but for days that a month
#: does not have.
_FAST = frozenset("YmdHMSypIbB%")
#: How many digits a letter stands for, where integers have lost their zeros.
_WIDTHS = {"Y": 4, "j": 3, "f": 6, **dict.fromkeys("mdHMSyI", 2)}
_DAY_AND_MONTH = (
    r"^(?P<first>[0-9]{1,2})(?P<sign>[/.\-])(?P<second>[0-9]{1,2})[/.\-]"
    r"(?P<year>[0-9]{4}|[0-9]{2})(?:[^0-9]|$)"
)
_COMPACT = r"^(19[7-9][0-9]|20[0-9]{2})(0[1-9]|1[0-2])([0-2][0-9]|3[01])$"
#: Rows that are looked at first.
_FIRST = 1000
#: A zone changes its offset at quarters of an hour only.
_QUARTER = 900


def check_format(time_format: str, where: str) -> None:
    """Refuses a format that `strptime` cannot follow, or without a year.

    Raises:
      InputError: where a letter is unknown, or the year is not told.
    """
    sample = datetime.datetime(2001, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
    try:
        read = datetime.datetime.strptime(
            sample.strftime(time_format), time_format
        )
    except (ValueError, re.error) as error:
        raise InputError(
            f"{where} must be a format of Python's strptime. Received: "
            f"{time_format!r} ({' '.join(str(error).split())}). Write, for "
            'example, "%Y-%m-%d %H:%M:%S".'
        ) from error
    if read.year != sample.year:
        raise InputError(
            f"{where} must tell the year, by %Y or %y. Received: "
            f"{time_format!r}. Write the date and the time into one column."
        )


def check_zone(name: str, where: str) -> None:
    """Refuses a time zone that is unknown here.

    Raises:
      InputError: where it is.
    """
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"{where} must be a time zone by its IANA name. Received: "
            f"{name!r}. Write, for example, Europe/Berlin; where no name is "
            "known, install the package tzdata."
        ) from error


def read_times(
    column: pa.ChunkedArray,
    time_format: str | None,
    timezone: str | None,
    where: str,
    unit: str | None = None,
) -> pa.Array:
    """Times as int64 UTC seconds [n], null where one cannot be read.

    Args:
      column: [n]; numbers since 1970, ISO 8601 text, text or integers in a
        format, or any Arrow time.
      time_format: in the letters of `strptime`.
      timezone: the IANA name of the zone of times that state none; UTC if None.
      where: the column and its file, for messages.
      unit: of numbers, one of `UNITS`; seconds if None, and then numbers must
        not look like dates.

    Raises:
      InputError: where the format has to be known to read the column.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        seconds = _cast_times(column)
        local = np.full(len(seconds), getattr(kind, "tz", None) is None)
    elif time_format is not None:
        seconds, local = _parse_format(
            _digits(column, time_format), time_format
        )
    else:
        if unit is None:
            _refuse_compact(column, where)
        per_second = UNITS[unit or "s"]
        if not pa.types.is_integer(kind) and not pa.types.is_floating(kind):
            text = as_text(column)
            _require_order(text, where)
            seconds, local = _parse_text(text, per_second)
        else:
            seconds = _whole_seconds(column, per_second)
            local = np.zeros(len(seconds), bool)
    return seconds if timezone is None else _to_utc(seconds, local, timezone)


def read_ends(
    column: pa.ChunkedArray,
    time_format: str | None,
    timezone: str | None,
    where: str,
    unit: str | None = None,
) -> tuple[pa.Array, np.ndarray]:
    """Times that may be missing, where something does not end.

    Args:
      column: see `read_times`.
      time_format: see `read_times`.
      timezone: see `read_times`.
      where: see `read_times`.
      unit: see `read_times`.

    Returns:
      int64 UTC seconds [n], null where there is none, and bool [n], where what
      is there is no time from 1970 to 9999.
    """
    found = read_times(column, time_format, timezone, where, unit)
    is_empty = as_mask(pc.is_null(column, nan_is_null=True))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        is_empty |= as_mask(pc.equal(as_text(column), ""))
    missing = as_mask(found.is_null())
    seconds = found.fill_null(0).to_numpy()
    broken = missing & ~is_empty
    broken |= ~missing & ((seconds < 0) | (seconds >= YEAR_10000))
    return pa.array(seconds, mask=missing | broken), broken


def _cast_times(column: pa.ChunkedArray) -> pa.Array:
    if not pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s"), safe=False)
    seconds = pa.timestamp("s", column.type.tz)
    return as_array(column.cast(seconds, safe=False).cast(pa.int64()))


def _whole_seconds(column: pa.ChunkedArray, per_second: int) -> pa.Array:
    if pa.types.is_integer(column.type):
        whole = as_array(column.cast(pa.int64(), safe=False))
        return _divided(whole, per_second)
    return _floored(column.to_numpy().astype(np.float64), per_second)


def _divided(numbers: pa.Array, per_second: int) -> pa.Array:
    """int64 [n], rounded down, null where there is none."""
    if per_second == 1:
        return numbers
    missing = as_mask(numbers.is_null())
    whole = numbers.fill_null(0).to_numpy() // per_second
    return pa.array(whole, mask=missing)


def _floored(values: np.ndarray, per_second: int) -> pa.Array:
    with np.errstate(invalid="ignore"):
        readable = np.abs(values) < _LARGEST
    whole = np.floor(np.where(readable, values, 0)).astype(np.int64)
    return _divided(pa.array(whole, mask=~readable), per_second)


def _require_order(text: pa.Array, where: str) -> None:
    """Refuses dates whose order of day and month is not known."""
    dates = pc.extract_regex(text, _DAY_AND_MONTH)
    found = dates.drop_null()
    filled = pc.sum(pc.not_equal(text, "")).as_py() or 0
    if not len(found) or 2 * len(found) < filled:
        return
    first, second = (
        pc.struct_field(found, part).cast(pa.int64()).to_numpy()
        for part in ("first", "second")
    )
    example = text.filter(dates.is_valid())[0].as_py()
    sign = pc.struct_field(found, "sign")[0].as_py()
    year = pc.struct_field(found, "year")[0].as_py()
    year = "%Y" if len(year) == 4 else "%y"
    orders = [f"%d{sign}%m{sign}{year}", f"%m{sign}%d{sign}{year}"]
    if (first > 12).any():
        known = "the first number is the day"
        orders = orders[:1]
    elif (second > 12).any():
        known = "the second number is the day"
        orders = orders[1:]
    else:
        known = "which number is the day cannot be told"
    raise InputError(
        f"{where} must have a `format` where dates are not ISO 8601. Received: "
        f"{example!r} and others like it; {known}. Write `{{column: …, "
        f'format: "{orders[0]}"}}`'
        + (f', or "{orders[1]}"' if orders[1:] else "")
        + ", and what follows the date."
    )


def _refuse_compact(column: pa.ChunkedArray, where: str) -> None:
    """Refuses dates such as 20240131, which are no seconds."""
    # Mostly the first rows tell that there is no need to read all as text.
    filled, are_dates = _compact_dates(column.slice(0, _FIRST))
    if len(filled) and not are_dates:
        return
    filled, are_dates = _compact_dates(column)
    if len(filled) and are_dates:
        raise InputError(
            f"{where} must hold seconds, or have a `format`. Received: "
            f"{filled[0].as_py()!r} and others like it, which look like dates. "
            'Write `{column: …, format: "%Y%m%d"}`.'
        )


def _compact_dates(column: pa.ChunkedArray) -> tuple[pa.Array, bool]:
    """The texts that are not empty, and whether all look like dates."""
    text = as_text(column)
    filled = text.filter(pc.not_equal(text, ""))
    dates = pc.match_substring_regex(filled, _COMPACT)
    return filled, bool(pc.all(dates).as_py())


def _parse_text(text: pa.Array, per_second: int) -> tuple[pa.Array, np.ndarray]:
    """Numbers or ISO 8601, and where the text states no zone."""
    seconds = _divided(as_integers(text), per_second)
    if seconds.null_count:
        floats = _floored(as_floats(pa.chunked_array([text])), per_second)
        seconds = pc.coalesce(seconds, floats)
    parts = pc.extract_regex(text, _ISO)
    local = np.zeros(len(text), bool)
    if parts.null_count == len(parts):
        return seconds, local

    def part(name: str) -> np.ndarray:
        digits = pc.struct_field(parts, name)
        known = pc.fill_null(pc.not_equal(digits, ""), False)
        return pc.if_else(known, digits, "0").cast(pa.int64()).to_numpy()

    month, day = part("month"), part("day")
    hour, minute, second = part("hour"), part("minute"), part("second")
    zone_hour, zone_minute = part("zone_hour"), part("zone_minute")
    months = (part("year") - 1970) * 12 + month - 1
    # The number of the first day of each month, and of the next one.
    first, following = (
        m.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        for m in (months, months + 1)
    )
    good = (month >= 1) & (month <= 12)
    good &= (day >= 1) & (day <= following - first)
    good &= (hour < 24) & (minute < 60) & (second < 60)
    good &= (zone_hour < 24) & (zone_minute < 60)
    east = as_mask(
        pc.fill_null(pc.equal(pc.struct_field(parts, "sign"), "+"), False)
    )
    offset = (zone_hour * 60 + zone_minute) * np.where(east, 60, -60)
    clock = (hour * 60 + minute) * 60 + second
    iso = (first + day - 1) * 86400 + clock - offset
    zone = pc.struct_field(parts, "zone")
    local = as_mask(pc.fill_null(pc.equal(zone, ""), False))
    return pc.coalesce(seconds, pa.array(iso, mask=~good)), local


def _digits(column: pa.ChunkedArray, time_format: str) -> pa.Array:
    """Text, with the zeros that integers lose: 9010203 for %y%m%d%H."""
    text = as_text(column)
    if not (
        pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    ):
        return text
    letters = re.findall(r"%(.)", time_format)
    if "".join(f"%{letter}" for letter in letters) != time_format:
        return text
    if not set(letters) <= set(_WIDTHS):
        return text
    padded = pc.utf8_lpad(text, sum(_WIDTHS[c] for c in letters), "0")
    return pc.if_else(pc.equal(text, ""), "", padded)


def _parse_format(
    text: pa.Array, time_format: str
) -> tuple[pa.Array, np.ndarray]:
    """Seconds of times in a format, and where the text states no zone."""
    letters = set(re.findall(r"%(.)", time_format, re.DOTALL))
    seconds = np.zeros(len(text), np.int64)
    missing = np.ones(len(text), bool)
    if letters <= _FAST:
        times = pc.strptime(
            text, format=time_format, unit="s", error_is_null=True
        )
        missing = as_mask(times.is_null())
        seconds = times.cast(pa.int64()).fill_null(0).to_numpy().copy()
        # The C library reads 30 February as 2 March; Python's parser, which
        # is slow, looks at the first days of months again.
        missing |= as_mask(pc.fill_null(pc.less_equal(pc.day(times), 3), False))
    local = np.full(len(text), not letters & {"z", "Z"})
    again = np.flatnonzero(missing)
    distinct = text.take(pa.array(again)).dictionary_encode()
    read = [
        _python_seconds(value, time_format, letters)
        for value in distinct.dictionary.to_pylist()
    ]
    at = distinct.indices.to_numpy()
    seconds[again] = np.array([s or 0 for s in read], np.int64)[at]
    missing[again] = np.array([s is None for s in read], bool)[at]
    return pa.array(seconds, mask=missing), local


def _python_seconds(
    text: str, time_format: str, letters: set[str]
) -> int | None:
    if "Z" in letters and not re.search(r"\b(utc|gmt)\b", text, re.IGNORECASE):
        # Python knows the names of the zone of its machine alone.
        return None
    try:
        time = datetime.datetime.strptime(text, time_format)
    except (ValueError, OverflowError):
        return None
    offset = time.utcoffset() or datetime.timedelta()
    since = time.replace(tzinfo=None) - datetime.datetime(1970, 1, 1) - offset
    return since // datetime.timedelta(seconds=1)


def _to_utc(seconds: pa.Array, local: np.ndarray, timezone: str) -> pa.Array:
    """Local clocks to UTC; of an hour that comes twice it is the first."""
    missing = as_mask(seconds.is_null())
    values = seconds.fill_null(0).to_numpy()
    local = local & ~missing & (values >= 0) & (values < YEAR_10000)
    zone = zoneinfo.ZoneInfo(timezone)
    quarters, at = np.unique(values[local] // _QUARTER, return_inverse=True)
    start = datetime.datetime(1970, 1, 1)
    offsets = []
    for quarter in quarters.tolist():
        clock = start + datetime.timedelta(seconds=quarter * _QUARTER)
        offset = clock.replace(tzinfo=zone).utcoffset()
        offsets.append(0 if offset is None else int(offset.total_seconds()))
    moved = values.copy()
    moved[local] -= np.array(offsets, np.int64)[at]
    return pa.array(moved, mask=missing)
