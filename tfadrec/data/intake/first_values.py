"""One row out of all rows of an ad or a user."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import as_array, as_mask, is_list


class FirstValues:
    """The first value of each column for each key, and where rows disagree.

    Empty texts and lists are no values, where there is another one.

    Args:
      key: the column whose distinct values are wanted.

    Example:
      firsts = FirstValues("ad_id")
      for batch in batches:
          firsts.merge(FirstValues.of(batch, "ad_id"))
      ads = firsts.table()
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._found: pa.Table | None = None
        #: Column -> whether the rows of a key have unlike values.
        self._apart: dict[str, np.ndarray] = {}

    @classmethod
    def of(cls, rows: pa.Table, key: str) -> "FirstValues":
        """Those of some rows."""
        found = cls(key)
        found._add(rows, {})
        return found

    def merge(self, later: "FirstValues") -> None:
        """Takes note of rows that come after those before."""
        if self._found is None:
            self._found, self._apart = later._found, later._apart
        else:
            self._add(later.table(), later._apart)

    def _add(self, rows: pa.Table, apart_there: dict[str, np.ndarray]) -> None:
        """Adds rows, and the keys of which unlike values are known already."""
        before = 0
        if self._found is not None:
            before = len(self._found)
            rows = pa.concat_tables([self._found, rows])
        key = as_array(rows[self._key])
        codes = key.dictionary_encode().indices.to_numpy()
        _, first = np.unique(codes, return_index=True)
        columns = {}
        for name in rows.column_names:
            column = as_array(rows[name])
            given = np.flatnonzero(_given(column))
            found, at = np.unique(codes[given], return_index=True)
            places = first.copy()
            places[found] = given[at]
            columns[name] = column.take(pa.array(places))
            if pa.types.is_nested(column.type):  # Arrow does not compare these
                continue
            values = column.take(pa.array(given))
            firsts = column.take(pa.array(places[codes[given]]))
            differs = as_mask(pc.not_equal(values, firsts))
            apart = np.zeros(len(first), bool)
            known = self._apart.get(name, apart[:0])
            apart[: len(known)] = known
            apart[codes[given][differs]] = True
            if name in apart_there:
                apart[codes[before:][apart_there[name]]] = True
            self._apart[name] = apart
        self._found = pa.table(columns)

    def table(self) -> pa.Table:
        """One row for each key, in the order in which they appear."""
        assert self._found is not None
        return self._found

    def apart(self) -> dict[str, int]:
        """For each column of unlike values, the number of such keys."""
        counts = {n: int(apart.sum()) for n, apart in self._apart.items()}
        return {name: count for name, count in counts.items() if count}


def _given(column: pa.Array) -> np.ndarray:
    """Bool [n], True where there is a value."""
    kind = column.type
    if pa.types.is_string(kind):
        return as_mask(pc.fill_null(pc.not_equal(column, ""), False))
    if is_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        return lengths.to_numpy() > 0
    if pa.types.is_map(kind):
        return np.diff(column.offsets.to_numpy()) > 0
    return as_mask(column.is_valid())
