"""TensorFlow's C library, by ctypes, out of TensorFlow's own wheel."""

import ctypes
import functools
import importlib.util
import pathlib
from collections.abc import Sequence
from typing import Any

from tfadrec.core.errors import InputError, TfadrecError

_POINTER, _INT, _SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
_TEXT, _NUMBER = ctypes.c_char_p, ctypes.c_int64


class Output(ctypes.Structure):
    """`TF_Output`: one output of one op."""

    _fields_ = [("operation", _POINTER), ("index", _INT)]


class Buffer(ctypes.Structure):
    """`TF_Buffer`: bytes and who frees them."""

    _fields_ = [("data", _POINTER), ("length", _SIZE), ("free", _POINTER)]


#: Function of `c_api.h`, `tf_tensor.h` or `tf_tstring.h` -> result, arguments.
_FUNCTIONS: dict[str, tuple[Any, Sequence[Any]]] = {
    "TF_Version": (_TEXT, []),
    "TF_NewStatus": (_POINTER, []),
    "TF_DeleteStatus": (None, [_POINTER]),
    "TF_GetCode": (_INT, [_POINTER]),
    "TF_Message": (_TEXT, [_POINTER]),
    "TF_NewBuffer": (ctypes.POINTER(Buffer), []),
    "TF_DeleteBuffer": (None, [ctypes.POINTER(Buffer)]),
    "TF_NewGraph": (_POINTER, []),
    "TF_DeleteGraph": (None, [_POINTER]),
    "TF_NewSessionOptions": (_POINTER, []),
    "TF_DeleteSessionOptions": (None, [_POINTER]),
    "TF_LoadSessionFromSavedModel": (
        _POINTER,
        [
            *(_POINTER, _POINTER, _TEXT, ctypes.POINTER(_TEXT), _INT),
            *(_POINTER, ctypes.POINTER(Buffer), _POINTER),
        ],
    ),
    "TF_CloseSession": (None, [_POINTER, _POINTER]),
    "TF_DeleteSession": (None, [_POINTER, _POINTER]),
    "TF_GraphOperationByName": (_POINTER, [_POINTER, _TEXT]),
    "TF_SessionRun": (
        None,
        [
            *(_POINTER, _POINTER),
            *(ctypes.POINTER(Output), ctypes.POINTER(_POINTER), _INT),
            *(ctypes.POINTER(Output), ctypes.POINTER(_POINTER), _INT),
            *(_POINTER, _INT, _POINTER, _POINTER),
        ],
    ),
    "TF_AllocateTensor": (
        _POINTER,
        [_INT, ctypes.POINTER(_NUMBER), _INT, _SIZE],
    ),
    "TF_DeleteTensor": (None, [_POINTER]),
    "TF_TensorType": (_INT, [_POINTER]),
    "TF_NumDims": (_INT, [_POINTER]),
    "TF_Dim": (_NUMBER, [_POINTER, _INT]),
    "TF_TensorData": (_POINTER, [_POINTER]),
    "TF_TensorByteSize": (_SIZE, [_POINTER]),
    "TF_StringInit": (None, [_POINTER]),
    "TF_StringCopy": (None, [_POINTER, _TEXT, _SIZE]),
    "TF_StringGetDataPointer": (_POINTER, [_POINTER]),
    "TF_StringGetSize": (_SIZE, [_POINTER]),
    "TF_StringDealloc": (None, [_POINTER]),
}


class Library:
    """The functions of `_FUNCTIONS`, by name, as attributes.

    Raises:
      InputError: where there is no TensorFlow, or its libraries are not found.
    """

    def __init__(self) -> None:
        folder = _folder()
        # Symbols of the first are what the second is linked against.
        names = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
        for name in names:
            if not (folder / name).is_file():
                raise InputError(
                    "TensorFlow's C library is read from its wheel for Linux. "
                    f"Received: no {name} in {folder}."
                )
        loaded = [
            ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
            for name in names
        ]
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(loaded[-1], name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def check(self, status: int) -> None:
        """Raises what a call left in its status.

        Raises:
          TfadrecError: where that is an error.
        """
        if self.TF_GetCode(status):
            raise TfadrecError(self.TF_Message(status).decode())


@functools.cache
def library() -> Library:
    """The library, which a process loads once."""
    return Library()


def _folder() -> pathlib.Path:
    # Finding a package does not import it.
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or spec.origin is None:
        raise InputError(
            "TensorFlow's C library comes with TensorFlow. Received: a Python "
            "without it. Install tensorflow."
        )
    return pathlib.Path(spec.origin).parent
