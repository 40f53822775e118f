"""Arrays as tensors of the C library, and back."""

import ctypes

import numpy as np

from tfadrec.core.errors import TfadrecError
from tfadrec.native.library import library
from tfadrec.native.warm_up_file import DTYPES

_NUMBERS = {dtype: number for number, dtype in DTYPES.items()}
_TEXT = _NUMBERS[np.dtype(object)]
#: Bytes of a `TF_TString`.
_TEXT_SIZE = 24


def to_tensor(array: np.ndarray) -> int:
    """A new tensor, which `delete_tensor` frees.

    Args:
      array: of one of `DTYPES`; a text is bytes.
    """
    lib = library()
    number = _NUMBERS[array.dtype]
    flat = np.ascontiguousarray(array).reshape(-1)
    size = _TEXT_SIZE * flat.size if number == _TEXT else flat.nbytes
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)
    tensor = lib.TF_AllocateTensor(number, dims, array.ndim, size)
    data = lib.TF_TensorData(tensor)
    if number == _TEXT:
        for place, text in enumerate(flat):
            lib.TF_StringInit(data + place * _TEXT_SIZE)
            lib.TF_StringCopy(data + place * _TEXT_SIZE, text, len(text))
    elif size:
        ctypes.memmove(data, flat.ctypes.data, size)
    return tensor


def to_array(tensor: int) -> np.ndarray:
    """A copy of what a tensor holds; texts as bytes, in an array of objects.

    Raises:
      TfadrecError: where it is of another type than `DTYPES`.
    """
    lib = library()
    number = lib.TF_TensorType(tensor)
    if number not in DTYPES:
        raise TfadrecError(
            f"answers are numbers and texts. Received: type {number}."
        )
    shape = [lib.TF_Dim(tensor, i) for i in range(lib.TF_NumDims(tensor))]
    array = np.empty(shape, DTYPES[number])
    data = lib.TF_TensorData(tensor)
    if number == _TEXT:
        flat = array.reshape(-1)
        for place in range(flat.size):
            text = data + place * _TEXT_SIZE
            flat[place] = ctypes.string_at(
                lib.TF_StringGetDataPointer(text), lib.TF_StringGetSize(text)
            )
    elif array.nbytes:
        ctypes.memmove(array.ctypes.data, data, array.nbytes)
    return array


def delete_tensor(tensor: int, *, is_ours: bool = False) -> None:
    """Frees a tensor.

    Args:
      tensor: any.
      is_ours: whether `to_tensor` made it: TensorFlow frees the texts of its
        own tensors alone.
    """
    lib = library()
    if is_ours and lib.TF_TensorType(tensor) == _TEXT:
        data = lib.TF_TensorData(tensor)
        for place in range(lib.TF_TensorByteSize(tensor) // _TEXT_SIZE):
            lib.TF_StringDealloc(data + place * _TEXT_SIZE)
    lib.TF_DeleteTensor(tensor)
