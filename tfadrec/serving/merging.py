"""Requests that a server may merge, and what they are merged to.

TensorFlow Serving, where batching is on, puts requests into one, row behind
row. Where their shapes differ it fills up the smaller tensors behind each axis
but the first, with the first element of the tensor, and fails where there is
none (`tensorflow_serving/batching/batching_util.cc`). Each request then gets
its rows of the answer, as wide as that of all of them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.serving.ad_reader import NEW
from tfadrec.serving.readers.reader import EMPTY
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.requests import Request

#: As in `Reader.empty`, and the empty id.
_EMPTY: dict[tf.DType, Any] = {**EMPTY, tf.int64: -1, tf.bool: False}
_HISTORY, _LENGTH = "history_", "history_length"


def mergeable(
    request: Request, signature: str, specs: Mapping[str, Specs]
) -> Request:
    """The same request, in a form whose answer no filling up changes.

    No axis is of size 0: a history of length 0 has one event that is not read.
    No history is said to be longer than it is, as the events that it is filled
    up with would be read. Lists whose entries all count begin with one that
    does not: "" among categories, the empty id among ads to leave out. Where
    there are several rows, which are all filled up with what the first one
    begins with, the new ads of `score_new_ads` and the candidates of
    `recommend_from` begin so too: of one row an ad that comes twice counts
    once. Candidates of `recommend_from` with lists or vectors always do, since
    the first entry of these alone is taken. Elsewhere candidates stay in their
    places, which the answer goes by, as do histories and tokens, which have a
    length.

    Args:
      request: inputs of the signature, [B, ...] each, of which some may be
        missing.
      signature: its name.
      specs: all signatures' inputs, by name.

    Returns:
      Inputs by name, [B, ...], which are answered as the given ones.
    """
    own = specs[signature]
    several_rows = max(map(len, request.values()), default=0) > 1
    candidates, new = _of_candidates(own, specs), _of_new_ads(own, specs)
    placed = {n for n in own if n.startswith(_HISTORY)} | candidates | new
    begun = new if several_rows else set()
    if signature == "recommend_from" and (
        several_rows or any(own[name].shape.rank > 2 for name in candidates)
    ):
        begun = candidates
    found = {}
    for name, values in request.items():
        spec = own[name]
        lists = set(range(2 if name in placed else 1, values.ndim))
        if spec.dtype == tf.int32:  # ages, and tokens
            lists = set()
        if name in begun:
            lists.add(1)
        pads = [(0, 0)]
        for axis in range(1, values.ndim):
            is_list = axis in lists and spec.shape[axis] is None
            is_void = not values.shape[axis]
            pads.append((1, 0) if is_list else (0, int(is_void)))
        empty = np.array(_EMPTY[spec.dtype], values.dtype)
        found[name] = np.pad(values, pads, constant_values=empty)
    if _LENGTH in request and "history_ads" in request:
        events = request["history_ads"].shape[1]
        found[_LENGTH] = np.clip(request[_LENGTH], 0, events)
    return found


def _of_candidates(own: Specs, specs: Mapping[str, Specs]) -> set[str]:
    """The inputs of a signature with an axis of candidates."""
    rows, slates = (
        specs.get(n, {}) for n in ("serving_default", "score_slate")
    )
    if "candidate_ads" not in own or own["candidate_ads"].shape.rank < 2:
        return set()
    found = {
        name
        for name in {*rows} & {*slates}
        if rows[name].shape.rank < slates[name].shape.rank
    }
    return {*found, "candidate_ads", "bids"} & {*own}


def _of_new_ads(own: Specs, specs: Mapping[str, Specs]) -> set[str]:
    """The inputs of a signature with an axis of new ads."""
    if "new_ads" not in own:
        return set()
    return {n for n in own if n.startswith(NEW)} - {
        *specs.get("score_slate", {})
    }


def merged(request: Request, specs: Specs) -> Request:
    """What a server makes of a request's rows, had each come as a request.

    They are merged with another one whose lists, histories and slates are
    longer by one.

    Args:
      request: as from `mergeable`.
      specs: its signature's inputs.

    Returns:
      Inputs by name, one entry longer along each axis of unknown size but the
      first.

    Raises:
      ValueError: where an input has no element, which a server refuses.
    """
    found = {}
    for name, values in request.items():
        if not values.size:
            raise ValueError(f"`{name}` is empty in a batch that is not")
        pads, is_beyond = [(0, 0)], np.zeros([1] * values.ndim, bool)
        for axis in range(1, values.ndim):
            size = values.shape[axis]
            is_free = specs[name].shape[axis] is None
            pads.append((0, int(is_free)))
            places = np.arange(size + is_free)
            sizes = np.array([size])
            if axis == 1 and name.startswith(_HISTORY):
                sizes = np.clip(request[_LENGTH], 1, size)
            beyond = places >= sizes[:, None]
            others = [1] * values.ndim
            others[0], others[axis] = beyond.shape
            is_beyond = is_beyond | beyond.reshape(others)
        first = values.reshape(len(values), -1)[:, :1]
        first = first.reshape(-1, *[1] * (values.ndim - 1))
        found[name] = np.where(is_beyond, first, np.pad(values, pads, "edge"))
    return found
