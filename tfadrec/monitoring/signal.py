"""An input of requests, as it is watched."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfadrec.core.feature import Feature
from tfadrec.data.features import vocabulary
from tfadrec.data.features.number import LARGEST
from tfadrec.monitoring.known_ids import KnownIds
from tfadrec.monitoring.observed import Observed

#: What one user asks: input -> value, as in a row of `instances`.
Row = Mapping[str, Any]
#: How a value is read.
Kind = Literal["number", "bucket", "category", "categories", "vector", "id"]
Place = Literal["request", "candidate", "history"]


@dataclasses.dataclass(frozen=True)
class Signal:
    """One input of requests, or what is derived from one.

    Args:
      name: of the input.
      kind: how a value is read: a `number`, one that falls into a `bucket`, a
        `category`, `categories` of which each entry counts, a `vector` by its
        length, or an `id` that is known or not.
      place: what it belongs to: of a `candidate` a request has one or many, of
        the `history` one per event.
      length: of the history that the model reads, T.
      feature: that it is the input of.
      ids: those that are known.
      may_be_left_out: whether a client sends nothing where the bundle has a
        value, so that missing ones are no sign.
    """

    name: str
    kind: Kind
    place: Place
    length: int
    feature: Feature | None = None
    ids: KnownIds | None = None
    may_be_left_out: bool = False

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers and not codes."""
        return self.kind in ("number", "vector")

    def observe(self, rows: Sequence[Row]) -> Observed:
        """Its values in some requests.

        What cannot be read is missing, and so is each value of a request that
        lacks the input.

        Args:
          rows: of users, [n].
        """
        places: list[int] = []
        values: list[Any] = []
        for place, row in enumerate(rows):
            found = self._in_row(row)
            places += [place] * len(found)
            values += found
        return self._read(np.array(places, np.int64), values)

    def _in_row(self, row: Row) -> list[Any]:
        if self.name not in row:
            return [None] * self._lacking(row)
        value = row[self.name]
        if self.place == "history":
            events = value if isinstance(value, list) else []
            given = row.get("history_length")
            length = min(given if isinstance(given, int) else 0, len(events))
            value = events[max(0, length - self.length) : max(0, length)]
        elif self.place == "request" or not self._is_many(value):
            value = [value]
        if self.kind != "categories":
            return list(value)
        # An empty list is a missing value; else each entry is one.
        lists = (e if isinstance(e, list) else [e] for e in value)
        entries = ([e for e in each if e not in _NO_TEXT] for each in lists)
        return [entry for each in entries for entry in each or [""]]

    def _lacking(self, row: Row) -> int:
        """How many values a row would have that lacks the input."""
        if self.place == "candidate":  # a call for the best ads has none
            ads = row.get("candidate_ads", [])
            return len(ads) if isinstance(ads, list) else 1
        length = row.get("history_length")
        if self.place == "history" and isinstance(length, int):
            return min(max(length, 0), self.length)
        return 1

    def _is_many(self, value: Any) -> bool:
        """Whether that is a slate, and not one candidate's value."""
        if self.kind in ("categories", "vector"):
            return bool(value) and isinstance(value[0], list)
        return isinstance(value, list)

    def _read(self, rows: NDArray[np.int64], values: list[Any]) -> Observed:
        nothing = np.zeros(len(values), bool)
        if self.kind == "id":
            assert self.ids is not None
            texts = [_text(value) for value in values]
            known = self.ids.has(texts)
            missing = np.array([text == "" for text in texts], bool)
            return Observed(rows, known.astype(np.int64), missing, ~known)
        if self.kind in ("category", "categories"):
            assert self.feature is not None
            texts = [_text(value) for value in values]
            column = pa.array(texts, pa.string())
            codes = vocabulary.codes(column, self.feature).astype(np.int64)
            missing = np.array([text == "" for text in texts], bool)
            return Observed(rows, codes, missing, (codes == 0) & ~missing)
        if self.kind == "vector":
            lengths = np.array([_norm(value) for value in values])
            return Observed(rows, lengths, ~(lengths > 0), nothing)
        numbers = np.array([_number(value) for value in values])
        missing = ~(np.abs(numbers) <= LARGEST)
        numbers = np.where(missing, 0.0, numbers)
        if self.kind == "bucket":
            assert self.feature is not None
            bounds = np.asarray(self.feature.bounds)
            numbers = 1 + np.searchsorted(bounds, numbers, side="right")
        elif self.feature is not None and self.feature.low is not None:
            numbers = np.clip(numbers, self.feature.low, self.feature.high)
        return Observed(rows, numbers, missing, nothing)


_NO_TEXT = ("", None)


def _text(value: Any) -> str:
    is_one = value is not None and not isinstance(value, list | dict)
    return str(value) if is_one else ""


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _norm(value: Any) -> float:
    if not isinstance(value, list):
        return float("nan")
    numbers = np.array([_number(each) for each in value])
    return float(np.sqrt(np.square(numbers).sum()))
