"""Arrays that begin where TensorFlow's arrays begin."""

import numpy as np
import numpy.typing as npt

#: Bytes; TensorFlow's kernels count on it.
ALIGNED = 64


def empty(count: int, dtype: npt.DTypeLike) -> np.ndarray:
    """An array [count] of no certain values, which a tensor can share."""
    size = np.dtype(dtype).itemsize * count
    memory = np.empty(size + ALIGNED, np.uint8)
    begin = -memory.ctypes.data % ALIGNED
    return memory[begin : begin + size].view(dtype)


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that a tensor can share; of text, and empty, it is the array."""
    if array.dtype.kind not in "if" or not array.size:
        return array
    found = empty(array.size, array.dtype).reshape(array.shape)
    found[...] = array
    return found
