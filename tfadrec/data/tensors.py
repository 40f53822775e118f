"""Arrays as tensors, without a copy where there can be none."""

import numpy as np
import tensorflow as tf

#: Bytes; TensorFlow's kernels count on it.
_ALIGNED = 64


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
        and array.ctypes.data % _ALIGNED == 0
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
