"""Checks of a request before the graph sees it.

What a graph makes of a wrong request depends on the op that meets it first, and
some of it is answered with nonsense. A rule that is broken here is one line.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.moment_text import LATEST
from tfadrec.serving.ad_expiry import NOW
from tfadrec.serving.ad_order import CAP, DIVERSITY
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError, quote


def check_names(given: Mapping[str, Any], specs: Mapping[str, Any]) -> None:
    """Refuses a request that lacks inputs, or has others.

    Args:
      given: input name -> anything.
      specs: input name -> `TensorInfo`.

    Raises:
      RequestError: with the names.
    """
    missing, unknown = sorted(set(specs) - set(given)), set(given) - set(specs)
    if missing:
        refuse(
            'all inputs must be there, and what is not known is "" or NaN',
            f"no {', '.join(missing)}",
        )
    if unknown:
        refuse(
            f"inputs are {', '.join(sorted(specs))}",
            ", ".join(quote(name) for name in sorted(unknown)),
        )


def check_size(name: str, shape: tuple[int, ...], limits: Limits) -> None:
    """Refuses more values than an input may have.

    Raises:
      RequestError: with the shape.
    """
    size = 1
    for length in shape:
        size *= length
    if size > limits.values:
        refuse(
            f"an input has at most {limits.values} values",
            f"`{name}` of shape {list(shape)}",
        )


def check_inputs(
    inputs: Mapping[str, np.ndarray],
    specs: Mapping[str, Any],
    limits: Limits,
) -> None:
    """Refuses arrays that break the data contract.

    Args:
      inputs: input name -> array; strings are objects of bytes. The names were
        checked.
      specs: input name -> `TensorInfo`.
      limits: see there.

    Raises:
      RequestError: with one line.
    """
    for name, values in inputs.items():
        _check_input(name, values, specs[name], limits)
    rows = {name: len(values) for name, values in inputs.items()}
    if len(set(rows.values())) > 1:
        found = ", ".join(f"`{name}` {n}" for name, n in sorted(rows.items()))
        refuse("all inputs must have as many rows", found)
    count = next(iter(rows.values()))
    if not 1 <= count <= limits.rows:
        refuse(f"a request has 1 to {limits.rows} rows", f"{count}")
    if "k" in inputs:
        _check_k(inputs["k"], limits.values // count)
    if {"history_length", "history_ages"} <= set(inputs):
        _check_history(inputs)
    for name, values in inputs.items():
        _check_choice(name, values)


def refuse(rule: str, received: str) -> NoReturn:
    """Raises what a wrong request is refused with."""
    raise RequestError("INVALID_ARGUMENT", f"{rule}. Received: {received}.")


def _check_input(name, values, spec, limits) -> None:
    dtype = tf.as_dtype(spec.dtype)
    if values.dtype != dtype.as_numpy_dtype:
        refuse(f"`{name}` must be {dtype.name}", str(values.dtype))
    sizes = [dim.size for dim in spec.tensor_shape.dim]
    fits = len(sizes) == values.ndim and all(
        want in (-1, got) for want, got in zip(sizes, values.shape, strict=True)
    )
    if not fits:
        shape = ", ".join("?" if n < 0 else str(n) for n in sizes)
        refuse(f"`{name}` must be of shape [{shape}]", f"{list(values.shape)}")
    check_size(name, values.shape, limits)
    # A serialised example is no text.
    if dtype == tf.string and name != "examples":
        try:
            # A NUL neither mends nor breaks what stands beside it.
            b"\0".join(values.flat).decode()
        except UnicodeDecodeError as error:
            refuse(
                f"`{name}` must be UTF-8", quote(error.object[error.start :])
            )


def _check_k(k, most) -> None:
    if k.min() < 1:
        refuse("`k` must be >= 1", str(k.min()))
    if k.max() > most:
        refuse(
            f"`k` is at most {most} in a request of {len(k)} rows",
            str(k.max()),
        )


def _check_choice(name, values):
    """What else than the score ads are chosen by.

    A feature may be called as two of them are, but is of another type.
    """
    kind = values.dtype.name, values.ndim
    if name == "bids":
        highest, rule = np.finfo(np.float32).max, "finite and >= 0"
    elif name == DIVERSITY and kind == ("float32", 1):
        highest, rule = 1, "from 0 to 1"
    elif name.startswith(CAP) and kind == ("int32", 1):
        highest, rule = np.iinfo(np.int32).max, ">= 0, where 0 is no cap"
    elif name == NOW:
        highest = LATEST - 1
        rule = "0, or seconds since 1970 before the year 2200, no milliseconds"
    else:
        return
    wrong = values[~((values >= 0) & (values <= highest))]
    if len(wrong):
        refuse(f"`{name}` must be {rule}", str(wrong[0]))


def _check_history(inputs) -> None:
    shapes = {
        name: values.shape[:2]
        for name, values in inputs.items()
        if name.startswith("history_") and values.ndim > 1
    }
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"`{k}` {list(v)}" for k, v in sorted(shapes.items()))
        refuse("the parts of a history must have one shape", found)
    lengths, width = inputs["history_length"], next(iter(shapes.values()))[1]
    wrong = lengths[(lengths < 0) | (lengths > width)]
    if len(wrong):
        refuse(
            f"`history_length` must be from 0 to the {width} events of the "
            "request",
            str(wrong[0]),
        )
    ages = inputs["history_ages"]
    real = np.arange(width) < lengths[:, None]
    wrong = ages[real & (ages < 0)]
    if len(wrong):
        refuse("`history_ages` must be >= 0", str(wrong[0]))
