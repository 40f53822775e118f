"""TensorFlow Serving's JSON, as arrays and back."""

import base64
import binascii
import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.serving.preview.body import Body
from tfadrec.serving.preview.check_inputs import (
    check_names,
    check_size,
    refuse,
)
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import quote

_PYTHON = {"i": {int}, "b": {bool}, "f": {int, float}, "O": {str, dict}}


def read_inputs(
    body: Body, specs: Mapping[str, Any], limits: Limits
) -> dict[str, np.ndarray]:
    """The arrays of a body.

    Args:
      body: see there.
      specs: input name -> `TensorInfo` of its signature.
      limits: see there.

    Returns:
      Input name -> array; strings are objects of bytes.

    Raises:
      RequestError: for names, types, shapes and sizes that do not fit.
    """
    columns = _columns(body, specs)
    check_names(columns, specs)
    return {
        name: _array(name, values, specs[name], limits)
        for name, values in columns.items()
    }


def write_answer(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """An answer in JSON, by row or by column as the request was.

    A signature's only output goes without its name. Infinity is written as
    TensorFlow Serving does, which JSON does not know.
    """
    plain = {name: _plain(name, v) for name, v in outputs.items()}
    only = next(iter(plain)) if len(plain) == 1 else None
    if not by_row:
        return json.dumps({"outputs": plain[only] if only else plain}).encode()
    rows = [
        values[0] if only else dict(zip(plain, values, strict=True))
        for values in zip(*plain.values(), strict=True)
    ]
    return json.dumps({"predictions": rows}).encode()


def plain(values: np.ndarray) -> Any:
    """An array in lists, its bytes as text."""
    if values.dtype != object:
        return values.tolist()
    texts = [v.decode("utf-8", "replace") for v in values.flat]
    return _nested(texts, values.shape)


def _is_base64(value) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"}


def _is_object(value) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _columns(body, specs):
    values = body.values
    if not body.by_row:
        if _is_object(values):
            return values
        return _only(values, specs, "`inputs` is an object", values)
    if not isinstance(values, list) or not values:
        refuse("`instances` is a list of at least one row", quote(values))
    named = sum(map(_is_object, values))
    if not named:
        return _only(values, specs, "a row is an object", values[0])
    if named < len(values):
        refuse("rows are objects, or none is", f"{named} of {len(values)}")
    for row in values:
        check_names(row, specs)
    return {name: [row[name] for row in values] for name in specs}


def _only(values, specs, rule, received):
    if len(specs) > 1:
        refuse(f"{rule} with {', '.join(sorted(specs))}", quote(received))
    return dict.fromkeys(specs, values)


def _array(name, values, spec, limits):
    dtype = tf.as_dtype(spec.dtype)
    shape, level = [], [values]
    deep = len(spec.tensor_shape.dim)
    for dim in spec.tensor_shape.dim:
        if set(map(type, level)) - {list}:
            wrong = next(v for v in level if not isinstance(v, list))
            refuse(f"`{name}` must be lists, {deep} deep", quote(wrong))
        sizes = set(map(len, level))
        if len(sizes) > 1:
            refuse(
                f"lists of `{name}` must have one length",
                f"{min(sizes)} and {max(sizes)}",
            )
        # Where a list is empty, what its entries would be is known at most.
        shape.append(sizes.pop() if sizes else max(dim.size, 0))
        check_size(name, tuple(shape), limits)
        level = list(itertools.chain.from_iterable(level))
    kind = np.dtype(dtype.as_numpy_dtype).kind
    if not set(map(type, level)) <= _PYTHON[kind]:
        wrong = next(v for v in level if type(v) not in _PYTHON[kind])
        refuse(f"`{name}` must be {dtype.name}, {deep} deep", quote(wrong))
    if kind == "O":
        flat = np.empty(len(level), object)
        flat[:] = [_bytes(name, value) for value in level]
    else:
        flat = _numbers(name, level, dtype)
    return flat.reshape(shape)


def _bytes(name, value) -> bytes:
    try:
        if isinstance(value, str):
            return value.encode()
        if _is_base64(value):
            return base64.b64decode(value["b64"], validate=True)
    except UnicodeEncodeError:
        refuse(f"`{name}` must be text", "a lone surrogate")
    except (TypeError, ValueError, binascii.Error):
        pass
    return refuse(
        f"`{name}` must be strings, or base64 as {{'b64': '…'}}", quote(value)
    )


def _numbers(name, level, dtype):
    if dtype.is_integer:
        low, high = dtype.min, dtype.max
        if level and not low <= min(level) <= max(level) <= high:
            wrong = next(v for v in level if not low <= v <= high)
            refuse(f"`{name}` must be {dtype.name}", quote(wrong))
    try:
        # What a float32 cannot hold becomes infinite, which counts as missing.
        with np.errstate(over="ignore"):
            return np.array(level).astype(dtype.as_numpy_dtype)
    except OverflowError:
        return refuse(f"`{name}` must be {dtype.name}", "a number too large")


def _plain(name: str, values: np.ndarray) -> Any:
    # The server's rule for what is no text.
    if values.dtype == object and name.endswith("_bytes"):
        texts = [{"b64": base64.b64encode(v).decode()} for v in values.flat]
        return _nested(texts, values.shape)
    return plain(values)


def _nested(entries: list[Any], shape: tuple[int, ...]) -> Any:
    flat = np.empty(len(entries), object)
    flat[:] = entries
    return flat.reshape(shape).tolist()
