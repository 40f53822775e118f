"""Values of JSON as columns of Arrow."""

import json
from typing import Any

import pyarrow as pa

from tfadrec.data.columns import as_floats, as_text

_INT64 = range(-(2**63), 2**63)
_NUMBERS = (int, float)


class JsonKind:
    """What the values of one key are, which may come in pieces.

    Values are as Arrow has them where all of them are alike, else texts, as
    `as_text` spells those that are alike. So all are seen before the first
    column is made.

    Example:
      kind = JsonKind()
      for values in pieces:
          kind.add(values)
      columns = [kind.column(values) for values in pieces]
    """

    def __init__(self) -> None:
        self._values, self._entries = _Types(), _Types()
        #: Whether lists hold no lists or objects.
        self._plain = True
        #: Whether objects hold anything, and whether any of it is a number.
        self._hold = self._weigh = False

    def add(self, values: list[Any]) -> None:
        """Takes note of some values; missing ones are None."""
        found = self._values.add(values)
        if list in found:
            flat = _flat(values)
            self._plain &= not {list, dict} & self._entries.add(flat)
        if dict in found:
            entries = _held(values)
            self._hold |= bool(entries)
            self._weigh = self._weigh or any(
                weight is not None for weight in _weights(entries)
            )

    def column(self, values: list[Any]) -> pa.Array:
        """Some of the values, typed as all of them are."""
        kinds = self._values.found
        if kinds == {bool}:
            return pa.array(values, pa.bool_())
        if kinds <= {str}:
            return pa.array(values, pa.string())
        if kinds == {int} and self._values.in_int64:
            return pa.array(values, pa.int64())
        if self._values.are_floats:
            return pa.array(_floats(values), pa.float64())
        if kinds == {list} and self._plain:
            return self._lists(values)
        if kinds == {dict} and (self._weigh or not self._hold):
            return _maps(values)
        return pa.array(_texts(values), pa.string())

    @property
    def has_numbers(self) -> bool:
        """Whether there are numbers or Boolean values among the values."""
        return not self._values.found.isdisjoint({*_NUMBERS, bool})

    def numbers(self, values: list[Any]) -> pa.Array:
        """The numbers among some of the values as texts, [n], else null.

        True is 1, and false 0.
        """
        read = [int(v) if type(v) is bool else v for v in values]
        numbers = [v if type(v) in _NUMBERS else None for v in read]
        return pa.array(_texts(numbers), pa.string())

    def _lists(self, values: list[list[Any] | None]) -> pa.Array:
        if self._entries.are_floats:
            floats = [v and _floats(v) for v in values]
            return pa.array(floats, pa.list_(pa.float64()))
        entries = iter(_texts(_flat(values)))
        texts = [v and [next(entries) for _ in v] for v in values]
        return pa.array(texts, pa.list_(pa.string()))


class _Types:
    """The types of values that were seen.

    Attributes:
      found: all but that of None.
      in_int64: whether all integers are of 64 bits.
    """

    def __init__(self) -> None:
        self.found: set[type] = set()
        self.in_int64 = True
        self._is_exact = True

    def add(self, values: list[Any]) -> set[type]:
        """The types of these."""
        found = set(map(type, values)) - {type(None)}
        self.found |= found
        if int in found:
            integers = [v for v in values if type(v) is int]
            ends = min(integers), max(integers)
            self.in_int64 &= all(end in _INT64 for end in ends)
            self._is_exact &= all(abs(end) < 2**53 for end in ends)
        return found

    @property
    def are_floats(self) -> bool:
        """Whether there are floats, and no integer loses digits as one."""
        alike = self.found <= {int, float} and float in self.found
        return alike and self._is_exact


def _floats(values: list[Any]) -> list[float | None]:
    return [None if v is None else float(v) for v in values]


def _flat(values: list[Any]) -> list[Any]:
    return [e for v in values if type(v) is list for e in v]


def _held(values: list[Any]) -> list[Any]:
    """What the objects among values hold."""
    return [e for v in values if type(v) is dict for e in v.values()]


def _maps(values: list[dict[str, Any] | None]) -> pa.Array:
    weights = iter(_weights(_held(values)))
    pairs = [v and [(key, next(weights)) for key in v] for v in values]
    return pa.array(pairs, pa.map_(pa.string(), pa.float64()))


def _weights(entries: list[Any]) -> list[float | None]:
    """Numbers, and texts that are numbers; None for what is neither."""
    texts = pa.array([e for e in entries if type(e) is str], pa.string())
    read = iter(as_floats(pa.chunked_array([texts])).tolist())
    return [_weight(next(read) if type(e) is str else e) for e in entries]


def _weight(entry: Any) -> float | None:
    if type(entry) is int:
        entry = float(str(entry))  # infinite where it is too large
    return entry if type(entry) is float and entry == entry else None


def _texts(values: list[Any]) -> list[str | None]:
    floats = pa.array([v for v in values if type(v) is float], pa.float64())
    spelled = iter(as_text(floats).to_pylist())
    return [
        next(spelled) if type(value) is float else _text(value)
        for value in values
    ]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
