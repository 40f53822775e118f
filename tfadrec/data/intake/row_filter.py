"""Which rows of a file are wanted, as `where` says."""

import dataclasses
import datetime
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.columns import as_floats, as_mask, as_text
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.times import read_times

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
      dates: whether the numbers of the bounds are UTC seconds, with which times
        are compared, as `read_times` reads them without a format.
    """

    column: str
    values: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    negated: bool = False
    bounds: tuple[tuple[str, float], ...] = ()
    dates: bool = False

    def wanted(self, rows: RawRows) -> np.ndarray:
        """Bool [n], True for the rows that meet the condition."""
        column = rows[self.column]
        if self.bounds:
            if self.dates:
                times = read_times(
                    column, None, None, f"{self.column} of {rows.source}"
                )
                values = times.cast(pa.float64()).to_numpy(zero_copy_only=False)
            else:
                values = as_floats(column)
            with np.errstate(invalid="ignore"):
                met = [_COMPARE[sign](values, x) for sign, x in self.bounds]
            return np.all(met, axis=0)
        among = pa.array(self.values, pa.string())
        found = as_mask(pc.is_in(as_text(column), value_set=among))
        if self.numbers:
            found |= np.isin(as_floats(column), self.numbers)
        return found != self.negated


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
    return tuple(_filter(c, v, f"{where}.{c}") for c, v in content.items())


def _filter(column: Any, given: Any, where: str) -> RowFilter:
    if isinstance(column, str) and column:
        if isinstance(given, str) and re.match(r"\s*([<>=]|!=)", given):
            for end, dates in ((_NUMBER, False), (_DATE, True)):
                bounds = _bounds(given, end, _seconds if dates else float)
                if bounds:
                    return RowFilter(column, bounds=bounds, dates=dates)
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


def _bounds(
    text: str, end: str, read: Callable[[str], float]
) -> tuple[tuple[str, float], ...]:
    """Comparisons with ends of one pattern; none where there is another."""
    one = rf"\s*(<=|>=|<|>)\s*({end})(?=[\s<>]|$)"
    if not re.fullmatch(rf"(?:{one})+\s*", text):
        return ()
    try:
        return tuple((sign, read(end)) for sign, end in re.findall(one, text))
    except ValueError:
        return ()


def _seconds(date: str) -> float:
    """A date as UTC seconds."""
    day = datetime.date.fromisoformat(date)
    return (day - datetime.date(1970, 1, 1)).days * 86_400.0


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
