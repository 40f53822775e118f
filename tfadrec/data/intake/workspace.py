"""Temporary files beside a folder that is being written."""

import contextlib
import pathlib

import numpy as np
import pyarrow as pa

from tfadrec.core.scratch_array import scratch_array
from tfadrec.core.scratch_folder import scratch_folder
from tfadrec.data.columns import is_same
from tfadrec.data.intake import limits


class Workspace:
    """Gives names for temporary files, of which none is left in the end.

    The folder that they lie in is hidden beside the target, and made with the
    first of them. What a killed process leaves there is removed by the next
    writer of the target, see `scratch_folder`.

    Args:
      target: the folder that is being written.
      kind: what it is, such as `dataset`.

    Example:
      with Workspace(out, "dataset") as workspace:
          workspace.file().write_bytes(b"...")
    """

    def __init__(self, target: pathlib.Path, kind: str) -> None:
        self._target, self._kind = target, kind
        self._stack = contextlib.ExitStack()
        self._folder: pathlib.Path | None = None
        self._files = 0
        self._shared: list[pa.Array] = []

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def file(self) -> pathlib.Path:
        """The path of a new file.

        Raises:
          OSError: where the folder cannot be made.
        """
        self._files += 1
        return self._room() / f"{self._files}.arrow"

    def _room(self) -> pathlib.Path:
        if self._folder is None:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._folder = self._stack.enter_context(
                scratch_folder(self._target, self._kind)
            )
        return self._folder

    def share(self, values: pa.Array) -> None:
        """Keeps values in memory by which columns of several tables are coded.

        Files of tables then hold the codes alone.
        """
        self._shared.append(values)

    def shared(self, values: pa.Array) -> pa.Array | None:
        """Such values as they are kept, or None where they are not."""
        for kept in self._shared:
            # Those that another process has read are a copy.
            if is_same(values, kept) or values.equals(kept):
                return kept
        return None

    def array(self, size: int, kind: type[np.generic]) -> np.ndarray:
        """Zeros [size]; where they are many, in a file mapped into memory.

        Raises:
          OSError: where the file cannot be made.
        """
        if size <= limits.BATCH_ROWS:
            return np.zeros(size, kind)
        return scratch_array((size,), kind, self._room())
