"""Arrays that are no memory of the process's own."""

import math
import os
import tempfile
from typing import IO

import numpy as np
from numpy.typing import DTypeLike


def scratch_array(
    shape: tuple[int, ...],
    dtype: DTypeLike,
    folder: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Zeros in a file that is mapped into memory, so the system may take it.

    The file has no name, and its room is free once nobody uses the array,
    whatever becomes of the process.

    Args:
      shape: of the array, which has values.
      dtype: of its values.
      folder: where the room is; None for that of temporary files, which
        `TMPDIR` names.

    Raises:
      OSError: where there is no such room.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            reserve(file, size)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror}: a temporary file of {size:,} bytes",
                os.fspath(folder or tempfile.gettempdir()),
            ) from error
        return np.memmap(file, dtype, "r+", shape=shape)


def reserve(file: IO[bytes], size: int) -> None:
    """Gives an empty file that many zeros.

    Room that is missing ends the process when mapped memory is written to.

    Raises:
      OSError: where there is no room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)
