"""Arrays as tensors, without a copy where there can be none."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfadrec.data.aligned import ALIGNED


def gather_from(array: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """What gives rows [...] of an array [n, ...] by their numbers.

    The array's memory is shared where `as_tensor` can share it. That is so for
    a stretch of a mapped array too: fewer than 64 rows before it are taken
    along, so that it begins where TensorFlow's arrays do.
    """
    whole, begin = _with_rows_before(array)
    tensor = as_tensor(whole)
    if not begin:
        return lambda rows: tf.gather(tensor, rows)
    return lambda rows: tf.gather(tensor, rows + begin)


def _with_rows_before(array: np.ndarray) -> tuple[np.ndarray, int]:
    """A stretch of an array, longer at its start, and by how many rows."""
    whole = array.base
    if not (
        isinstance(whole, np.ndarray)
        and whole.dtype == array.dtype
        and whole.strides == array.strides
        and whole.shape[1:] == array.shape[1:]
        and array.size
        and array.strides[0] > 0
    ):
        return array, 0
    offset = array.ctypes.data - whole.ctypes.data
    begin, rest = divmod(offset, array.strides[0])
    if rest or not 0 <= begin <= len(whole) - len(array):
        return array, 0
    # As many rows as a place must be a multiple of in bytes.
    more = begin % ALIGNED
    return whole[begin - more : begin + len(array)], more


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """The array as a tensor, which shares its memory where it may.

    That is where the array may be written to, lies in one piece, and begins
    where TensorFlow's arrays begin, as one does that is mapped from a `.npy`
    file.
    """
    shared = (
        array.size > 0
        and array.flags.writeable
        and array.flags.c_contiguous
        and array.dtype.kind in "if"
        and array.ctypes.data % ALIGNED == 0
    )
    if not shared:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def one_more(array: np.ndarray) -> np.ndarray:
    """The array [n, ...] with one row of zeros after its last, [n + 1, ...].

    It is a copy, unless `array` is all but the last row of one that ends so.
    """
    whole, shape = array.base, (len(array) + 1, *array.shape[1:])
    if (
        isinstance(whole, np.ndarray)
        and (whole.shape, whole.dtype) == (shape, array.dtype)
        and whole.strides == array.strides
        and whole.ctypes.data == array.ctypes.data
        and not whole[-1].any()
    ):
        return whole
    return np.concatenate([array, np.zeros_like(array, shape=(1, *shape[1:]))])
