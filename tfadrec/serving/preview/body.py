"""A body of JSON, before its tensors are read."""

import dataclasses
import json
import zlib
from typing import Any

from aiohttp import web

from tfadrec.serving.preview.check_inputs import refuse
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError, quote

_DEFAULT = "serving_default"


@dataclasses.dataclass(frozen=True)
class Body:
    """A request to `:predict`.

    Attributes:
      signature: its name.
      by_row: whether it came as `instances`, and is answered so.
      values: under `instances` or `inputs`.
    """

    signature: str
    by_row: bool
    values: Any


def unpack(packed: bytes | bytearray, limits: Limits) -> bytes:
    """A body that was compressed by gzip.

    Raises:
      RequestError: where it was not.
      HTTPRequestEntityTooLarge: where it is too large without.
    """
    inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        raw = inflate.decompress(packed, limits.body + 1)
    except zlib.error as error:
        refuse("a body is compressed by gzip, as it says", str(error))
    if len(raw) > limits.body:
        raise web.HTTPRequestEntityTooLarge(limits.body, len(raw))
    if not inflate.eof or inflate.unused_data:
        refuse("a body is one gzip stream", "half of one, or more")
    return raw


def read_body(raw: bytes | bytearray, limits: Limits) -> Body:
    """Parses a body.

    Raises:
      RequestError: where it is no JSON, or no request.
    """
    if sum(map(raw.count, b"[{,:")) > limits.items:
        refuse(
            f"a body has at most {limits.items} brackets, braces, commas and "
            "colons",
            "more",
        )
    try:
        found = json.loads(raw, object_pairs_hook=_object)
    except RecursionError as error:
        raise RequestError(
            "INVALID_ARGUMENT", "JSON is nested too deeply."
        ) from error
    except ValueError as error:  # also where it is not UTF-8
        raise RequestError(
            "INVALID_ARGUMENT",
            f"a body is JSON in UTF-8. Received: {error}.",
        ) from error
    if not isinstance(found, dict):
        refuse("a body is a JSON object", quote(found))
    unknown = set(found) - {"signature_name", "instances", "inputs"}
    if unknown:
        refuse(
            "a body has `signature_name` and `instances` or `inputs`",
            quote(min(unknown)),
        )
    if ("instances" in found) == ("inputs" in found):
        has = "both" if "inputs" in found else "neither"
        refuse("a body has one of `instances` and `inputs`", has)
    signature = found.get("signature_name", _DEFAULT)
    if not isinstance(signature, str):
        refuse("`signature_name` is a string", quote(signature))
    by_row = "instances" in found
    return Body(
        signature or _DEFAULT,
        by_row,
        found["instances" if by_row else "inputs"],
    )


def _object(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object that has a name twice")
    return found
