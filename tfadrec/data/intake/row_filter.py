"""Which rows of a file are wanted, as `where` says."""

import dataclasses
import datetime
import operator
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.columns import as_floats, as_mask, as_text
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.times import YEAR_10000, read_times

_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclasses.dataclass(frozen=True)
class RowFilter:
    """A condition on one column; a row is wanted where all of them hold.

    Args:
      column: of the file.
      values: the texts of which the row's value is one; "" is a missing value.
      numbers: the same of numbers, which 5 and 5.0 both are.
      negated: whether the value must be none of these instead.
      bounds: pairs of a comparison and a number, all of which must hold; a
        value that is no number meets none.
      dates: the same of dates, days of the time zone that the times are of; a
        value that is no time meets none.
      time_format: of the times to compare with dates, see `read_times`.
      timezone: likewise.
      unit: likewise.
    """

    column: str
    values: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    negated: bool = False
    bounds: tuple[tuple[str, float], ...] = ()
    dates: tuple[tuple[str, str], ...] = ()
    time_format: str | None = None
    timezone: str | None = None
    unit: str | None = None

    def wanted(self, rows: RawRows) -> np.ndarray:
        """Bool [n], True for the rows that meet the condition.

        Raises:
          InputError: where times would be needed, and numbers are too large
            for seconds.
        """
        column = rows[self.column]
        if self.dates:
            signs, days = zip(*self.dates, strict=True)
            values = self._times(column, f"{self.column} of {rows.source}")
            ends = _floats(read_times(_chunked(days), None, self.timezone, ""))
            return _met(values, zip(signs, ends, strict=True))
        if self.bounds:
            return _met(as_floats(column), self.bounds)
        among = pa.array(self.values, pa.string())
        found = as_mask(pc.is_in(as_text(column), value_set=among))
        if self.numbers:
            found |= np.isin(as_floats(column), self.numbers)
        return found != self.negated

    def _times(self, column: pa.ChunkedArray, where: str) -> np.ndarray:
        """float64 [n], UTC seconds, NaN where there is no time."""
        values = _floats(
            read_times(
                column, self.time_format, self.timezone, where, self.unit
            )
        )
        large = values[values >= YEAR_10000]
        if 2 * len(large) > np.count_nonzero(~np.isnan(values)):
            raise InputError(
                f"{where} must hold times where it is compared with dates. "
                f"Received: {large.max():.0f} and others, too large for "
                'seconds since 1970. Compare it with numbers, such as ">='
                f'{large.min():.0f}", or, where it is the timestamp, give its '
                "`unit`."
            )
        return values


def read_filters(content: Any, where: str) -> tuple[RowFilter, ...]:
    """The conditions of a section.

    Args:
      content: column -> condition, or None.
      where: its place, for messages.

    Raises:
      InputError: where a condition cannot be read.
    """
    if content is None:
        return ()
    if not isinstance(content, dict) or not content:
        raise InputError(
            f"{where} must give a condition for each column. Received: "
            f"{content!r}. Write {{column: value}}, such as {{country: [DE, "
            'AT], quantity: ">0"}.'
        )
    return tuple(read_filter(c, v, f"{where}.{c}") for c, v in content.items())


def read_filter(column: Any, given: Any, where: str) -> RowFilter:
    """One condition.

    Args:
      column: of the file.
      given: what its values are compared with.
      where: its place, for messages.

    Raises:
      InputError: where it cannot be read.
    """
    if isinstance(column, str) and column:
        if isinstance(given, str) and re.match(r"\s*([<>=]|!=)", given):
            bounds, dates = _bounds(given, _NUMBER), _bounds(given, _DATE)
            if bounds:
                numbers = tuple((sign, float(end)) for sign, end in bounds)
                return RowFilter(column, bounds=numbers)
            if dates and all(_is_date(end) for _, end in dates):
                return RowFilter(column, dates=dates)
        else:
            negated = isinstance(given, dict) and set(given) == {"not"}
            values = given["not"] if negated else given
            values = values if isinstance(values, list) else [values]
            if values and all(
                isinstance(v, str | bool | int | float) for v in values
            ):
                return RowFilter(
                    column,
                    values=tuple(_texts(values)),
                    numbers=tuple(
                        float(v)
                        for v in values
                        if not isinstance(v, str | bool)
                    ),
                    negated=negated,
                )
    raise InputError(
        f"{where} must be a value, a list of values, {{not: …}} of these, or "
        f'comparisons (<, <=, > and >=) with numbers or dates such as ">0" or '
        f'">=2020-01-31". Received: {given!r}. Write one of these; a text that '
        "begins like a comparison stands in a list."
    )


def _bounds(text: str, end: str) -> tuple[tuple[str, str], ...]:
    """Comparisons with ends of one pattern; none where there is another."""
    one = rf"\s*(<=|>=|<|>)\s*({end})(?=[\s<>]|$)"
    if not re.fullmatch(rf"(?:{one})+\s*", text):
        return ()
    return tuple(re.findall(one, text))


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _met(values: np.ndarray, bounds: Iterable[tuple[str, float]]) -> np.ndarray:
    """Bool [n], True where all comparisons hold."""
    with np.errstate(invalid="ignore"):
        met = [_COMPARE[sign](values, x) for sign, x in bounds]
    return np.all(met, axis=0)


def _chunked(texts: Sequence[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(texts, pa.string())])


def _floats(seconds: pa.Array) -> np.ndarray:
    return seconds.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _texts(values: list[Any]) -> list[str]:
    """How the values may stand in a file."""
    texts = [v for v in values if isinstance(v, str)]
    for value in values:
        if isinstance(value, bool):
            word = "true" if value else "false"
            texts += [word, word.capitalize(), word.upper()]
        elif isinstance(value, int):
            texts.append(str(value))
    return texts
