"""Arrays of a dataset written piece by piece, a file each."""

import pathlib
from collections.abc import Mapping

import numpy as np


class ColumnWriter:
    """Writes arrays as `.npy` files, which grow with every piece.

    The arrays of events get one row of zeros more at their end: the event that
    stands in the places of a batch where there is none.

    Args:
      folder: where the files are made.

    Example:
      with ColumnWriter(folder) as writer:
          for piece in pieces:
              writer.append({"events.ads": piece})
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._files: dict[str, _Column] = {}

    def __enter__(self) -> "ColumnWriter":
        return self

    def __exit__(self, *error: object) -> None:
        for name, column in self._files.items():
            column.close(spare=is_gathered(name))

    def append(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Adds rows to arrays, which begin with their first ones.

        Raises:
          OSError: where they cannot be written.
        """
        for name, array in arrays.items():
            if name not in self._files:
                path = self._folder / f"{name}.npy"
                self._files[name] = _Column(path, array)
            self._files[name].append(array)


def is_gathered(name: str) -> bool:
    """Whether an array has one row of zeros more in its file."""
    return name.startswith("events.") and name != "events.users"


class _Column:
    """One file, whose header is written again when its length is known."""

    def __init__(self, path: pathlib.Path, like: np.ndarray) -> None:
        self._file = path.open("wb")
        self._empty = np.ascontiguousarray(like[:0])
        self._length = 0
        self._write_header()

    def append(self, array: np.ndarray) -> None:
        np.ascontiguousarray(array, self._empty.dtype).tofile(self._file)
        self._length += len(array)

    def close(self, *, spare: bool) -> None:
        with self._file:
            if spare:
                shape = (1, *self._empty.shape[1:])
                self.append(np.zeros(shape, self._empty.dtype))
            self._file.flush()
            self._file.seek(0)
            self._write_header()

    def _write_header(self) -> None:
        # NumPy leaves room in it for the digits of any length.
        header = np.lib.format.header_data_from_array_1_0(self._empty)
        header["shape"] = (self._length, *self._empty.shape[1:])
        np.lib.format.write_array_header_1_0(self._file, header)
