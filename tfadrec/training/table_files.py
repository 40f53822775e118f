"""Tables of a model as files: whole ones, and rows that differ from them.

No copy of a table is made: it is read, compared and set in blocks of rows.
"""

import pathlib
from collections.abc import Iterator

import numpy as np

from tfadrec.core.door import tf
from tfadrec.data.encoded.column_writer import ColumnWriter

#: Bytes of a table that are worked on at a time: larger blocks gained nothing
#: on two cores of an EPYC.
_BLOCK = 1 << 22


def write_whole(table: tf.Variable, file: pathlib.Path) -> None:
    """Writes all rows of a table [n, ...] as `.npy`.

    Args:
      table: numbers, of rank 1 or more.
      file: to write, in a folder that is there.

    Raises:
      OSError: where it cannot be written.
    """
    with ColumnWriter(file.parent) as writer:
        for begin, end in _blocks(table, table.shape[0]):
            rows = _rows(table, np.arange(begin, end))
            writer.append({file.stem: rows})


def changed_rows(table: tf.Variable, whole: pathlib.Path) -> np.ndarray:
    """The numbers of rows that are not, bit for bit, as they were written.

    Args:
      table: see `write_whole`.
      whole: what that has written.

    Returns:
      int64 [m], rising.

    Raises:
      ValueError: where the file is not of such a table, or is none.
    """
    known = _mapped(whole, table)
    found = [np.zeros(0, np.int64)]
    for begin, end in _blocks(table, table.shape[0]):
        rows = _bits(_rows(table, np.arange(begin, end)))
        is_other = rows != _bits(known[begin:end])
        is_other = is_other.reshape(end - begin, -1).any(axis=1)
        found.append(begin + np.flatnonzero(is_other))
    return np.concatenate(found)


def write_rows(
    table: tf.Variable,
    numbers: np.ndarray,
    of_numbers: pathlib.Path,
    of_rows: pathlib.Path,
) -> None:
    """Writes some rows, two `.npy` files in one folder.

    Args:
      table: see `write_whole`.
      numbers: of the rows, int64 [m >= 1].
      of_numbers: the file of these.
      of_rows: the file of the rows.

    Raises:
      OSError: where they cannot be written.
    """
    with ColumnWriter(of_rows.parent) as writer:
        for begin, end in _blocks(table, len(numbers)):
            some = numbers[begin:end]
            rows = _rows(table, some)
            writer.append({of_numbers.stem: some, of_rows.stem: rows})


def read_whole(table: tf.Variable, file: pathlib.Path) -> None:
    """Sets all rows of a table to what `write_whole` has written.

    Raises:
      ValueError: see `changed_rows`.
    """
    rows = _mapped(file, table)
    for begin, end in _blocks(table, table.shape[0]):
        _set_rows(table, np.arange(begin, end), rows[begin:end])


def read_rows(
    table: tf.Variable, of_numbers: pathlib.Path, of_rows: pathlib.Path
) -> None:
    """Sets those rows of a table that `write_rows` has written.

    Raises:
      ValueError: where the files are not of rows of such a table, or an
        `tf.errors.InvalidArgumentError`.
    """
    numbers = np.lib.format.open_memmap(of_numbers, mode="r")
    if numbers.dtype != np.int64 or numbers.ndim != 1:
        raise ValueError(f"{of_numbers} has no numbers of rows")
    rows = _mapped(of_rows, table, len(numbers))
    for begin, end in _blocks(table, len(numbers)):
        _set_rows(table, numbers[begin:end], rows[begin:end])


def bytes_of(table: tf.Variable) -> int:
    """Those of all of its rows."""
    return table.shape.num_elements() * table.dtype.size


def _blocks(table: tf.Variable, count: int) -> Iterator[tuple[int, int]]:
    """The bounds of blocks of so many rows of a table."""
    step = max(1, _BLOCK * table.shape[0] // max(1, bytes_of(table)))
    for begin in range(0, count, step):
        yield begin, min(begin + step, count)


def _mapped(
    file: pathlib.Path, table: tf.Variable, count: int | None = None
) -> np.ndarray:
    """A file of rows of a table, of all of them unless it is told how many."""
    rows = np.lib.format.open_memmap(file, mode="r")
    dtype = np.dtype(table.dtype.as_numpy_dtype)
    shape = (table.shape[0] if count is None else count, *table.shape[1:])
    if rows.shape != shape or rows.dtype.itemsize != dtype.itemsize:
        raise ValueError(
            f"{file} has {rows.dtype} {rows.shape}, not {dtype} {shape}"
        )
    # NumPy does not know the names of half precisions.
    return rows.view(dtype)


def _bits(rows: np.ndarray) -> np.ndarray:
    """What tells 0.0 from -0.0, and a nan from another one."""
    return rows.view(f"u{rows.dtype.itemsize}")


def _rows(table: tf.Variable, numbers: np.ndarray) -> np.ndarray:
    """Some rows; the whole table would be copied where it is read."""
    return tf.gather(_replicas(table)[0], numbers).numpy()


def _set_rows(
    table: tf.Variable, numbers: np.ndarray, rows: np.ndarray
) -> None:
    for replica in _replicas(table):
        replica.scatter_update(tf.IndexedSlices(rows, numbers))


def _replicas(table: tf.Variable) -> tuple[tf.Variable, ...]:
    """The variable itself, or of a mirrored one that of each replica."""
    return getattr(table, "values", (table,))
