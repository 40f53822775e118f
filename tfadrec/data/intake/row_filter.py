"""Which rows of a file are wanted, as `where` says."""

import dataclasses
import datetime
import decimal
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
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
#: How text files write true and false, in any case. YAML reads some of these
#: words so too, such as the country NO.
WORDS = {
    True: ("true", "t", "yes", "y", "on"),
    False: ("false", "f", "no", "n", "off"),
}


@dataclasses.dataclass(frozen=True)
class RowFilter:
    """A condition on one column; a row is wanted where all of them hold.

    Args:
      column: of the file.
      values: the texts of which the row's value is one, as the file has it; ""
        is a missing value.
      numbers: the same of numbers: 5 and 5.0 are one, and so is 5,0 where
        numbers have a decimal comma.
      words: the same of texts in small letters, whatever the row has.
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
    numbers: tuple[int | float, ...] = ()
    words: tuple[str, ...] = ()
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
            numbers = rows.numbers(self.column)
            limits = _rounded([end for _, end in self.bounds], numbers.type)
            comparisons = [sign for sign, _ in self.bounds]
            pairs = zip(comparisons, limits, strict=True)
            return _met(as_floats(numbers), pairs)
        among = pa.array(self.values, pa.string())
        found = as_mask(pc.is_in(as_text(column), value_set=among))
        if self.numbers:
            found |= _among(rows.numbers(self.column), self.numbers)
        if self.words:
            words = pa.array(self.words, pa.string())
            lowered = pc.utf8_lower(as_text(column))
            found |= as_mask(pc.is_in(lowered, value_set=words))
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
    return tuple(
        read_condition(c, v, f"{where}.{c}") for c, v in content.items()
    )


def read_condition(column: Any, given: Any, where: str) -> RowFilter:
    """The condition on one column.

    Args:
      column: its name.
      given: a value, a list of values, `{not: …}` of these, or comparisons.
      where: its place, for messages.

    Raises:
      InputError: where it cannot be read.
    """
    if isinstance(column, str) and column:
        negated = isinstance(given, dict) and set(given) == {"not"}
        values = given["not"] if negated else given
        if not _is_compared(values):
            values = values if isinstance(values, list) else [values]
            if values and all(
                isinstance(v, str | bool | int | float) for v in values
            ):
                return _one_of(column, values, negated)
        elif not negated:
            found = _compared(column, values)
            if found is not None:
                return found
    raise InputError(
        f"{where} must be a value, a list of values, {{not: …}} of these, or "
        f'comparisons (<, <=, > and >=) with numbers or dates such as ">0" or '
        f'">=2020-01-31". Received: {given!r}. {_meant(column, given)}; a text '
        "that begins like a comparison stands in a list."
    )


def _one_of(column: str, values: list[Any], negated: bool) -> RowFilter:
    """The condition that a value is one of these, or none of them."""
    return RowFilter(
        column,
        values=tuple(v for v in values if isinstance(v, str)),
        words=tuple(
            word for v in values if isinstance(v, bool) for word in WORDS[v]
        ),
        # 1 and 0 are true and false as well, as of labels.
        numbers=tuple(
            int(v) if isinstance(v, bool) else v
            for v in values
            if not isinstance(v, str)
        ),
        negated=negated,
    )


def _is_compared(given: Any) -> bool:
    """Whether a text begins like a comparison."""
    return isinstance(given, str) and bool(re.match(r"\s*([<>=]|!=)", given))


def _compared(column: str, given: str) -> RowFilter | None:
    """The condition that comparisons hold; None where they cannot be read."""
    bounds, dates = _bounds(given, _NUMBER), _bounds(given, _DATE)
    if bounds:
        numbers = tuple((sign, float(end)) for sign, end in bounds)
        return RowFilter(column, bounds=numbers)
    if dates and all(_is_date(end) for _, end in dates):
        return RowFilter(column, dates=dates)
    return None


def _meant(column: Any, given: Any) -> str:
    """What to write for a condition that cannot be read."""
    opposite = given.get("not") if isinstance(given, dict) else None
    text = given if opposite is None else opposite
    pointed = re.sub("([0-9]),([0-9])", r"\1.\2", str(text))
    if _is_compared(text) and _compared(str(column), pointed) is not None:
        if opposite is None:
            return f'Write "{pointed}", with a point before decimals'
        parts = re.findall(r"([<>]=?)\s*([^\s<>]+)", pointed)
        if len(parts) == 1:
            ((sign, end),) = parts
            return f'Write "{_OPPOSITE[sign]}{end}"'
    return "Write one of these"


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


def _among(
    column: pa.ChunkedArray, numbers: Sequence[int | float]
) -> np.ndarray:
    """Bool [n], True where the column has one of some numbers."""
    values = as_floats(column)
    found = np.isin(values, _rounded(numbers, column.type))
    large = np.flatnonzero(found & (np.abs(values) >= 2**53))
    if len(large) and not pa.types.is_floating(column.type):
        # Several integers are one float.
        exact = {decimal.Decimal(number) for number in numbers}
        texts = as_text(column.take(pa.array(large))).dictionary_encode()
        are_exact = [
            decimal.Decimal(text) in exact
            for text in texts.dictionary.to_pylist()
        ]
        found[large] = np.array(are_exact)[texts.indices.to_numpy()]
    return found


def _rounded(numbers: Sequence[int | float], kind: pa.DataType) -> np.ndarray:
    """Numbers as a column of a type holds them, float64."""
    floats = np.array(numbers, np.float64)
    if not pa.types.is_floating(kind):
        return floats
    with np.errstate(over="ignore"):
        return floats.astype(kind.to_pandas_dtype()).astype(np.float64)


def _chunked(texts: Sequence[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(texts, pa.string())])


def _floats(seconds: pa.Array) -> np.ndarray:
    floats = seconds.cast(pa.float64(), safe=False)
    return floats.to_numpy(zero_copy_only=False)
