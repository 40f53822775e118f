"""The requests that lie in a bundle for a server to warm up with."""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfadrec.native import wire

Arrays = dict[str, np.ndarray]

#: Number of a type in `types.proto` -> NumPy's; a text is an object of bytes.
DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.float64),
    3: np.dtype(np.int32),
    7: np.dtype(object),
    9: np.dtype(np.int64),
    10: np.dtype(bool),
}
# Fields of TensorProto.
_TYPE, _SHAPE, _CONTENT = 1, 2, 4
_NUMBERS = {5: "<f4", 6: "<f8"}
_WHOLE, _TEXT = (7, 10, 11), 8


def requests(file: pathlib.Path) -> Iterator[tuple[str, Arrays]]:
    """Reads a file of `PredictionLog`s, as TensorFlow Serving does.

    Args:
      file: `assets.extra/tf_serving_warmup_requests` of a version's folder.

    Yields:
      A signature's name and its inputs; texts are bytes.
    """
    for record in wire.records(file):
        log = dict(wire.fields(memoryview(record)))  # prediction_log.proto
        predict = dict(wire.fields(log[6]))[1]
        signature = "serving_default"
        inputs: Arrays = {}
        for number, value in wire.fields(predict):  # predict.proto
            if number == 1:
                signature = bytes(dict(wire.fields(value))[3]).decode()
            elif number == 2:
                name, tensor = wire.entry(value)
                inputs[name] = _array(tensor)
        yield signature, inputs


def _array(tensor: memoryview) -> np.ndarray:
    """A `TensorProto` as an array."""
    dtype: np.dtype[Any] = DTYPES[1]
    shape: tuple[int, ...] = ()
    values: list[Any] = []
    for number, value in wire.fields(tensor):
        if number == _TYPE:
            dtype = DTYPES[value]
        elif number == _SHAPE:
            shape = tuple(_sizes(value))
        elif number == _CONTENT:
            content = np.frombuffer(value, dtype.newbyteorder("<"))
            values.extend(content.tolist())
        elif number in _NUMBERS:
            values.extend(np.frombuffer(value, _NUMBERS[number]).tolist())
        elif number in _WHOLE:
            values.extend(_signed(wire.varints(value)))
        elif number == _TEXT:
            values.append(bytes(value))
    array = np.empty(int(np.prod(shape)), dtype)
    # One value stands for all of them.
    array[:] = values if len(values) == len(array) else values * len(array)
    return array.reshape(shape)


def _sizes(shape: memoryview) -> Iterator[int]:
    for number, dim in wire.fields(shape):
        if number == 2:
            yield dict(wire.fields(dim)).get(1, 0)


def _signed(values: list[int]) -> list[int]:
    return [v - 2**64 if v >> 63 else v for v in values]
