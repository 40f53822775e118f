"""Requests that wait at the same time, as one request."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError
from tfadrec.serving.preview.servable import Servable

_Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(eq=False)
class _Asked:
    """One request, and its answer or why there is none."""

    inputs: Mapping[str, np.ndarray]
    end: float
    is_taken: bool = False
    answer: _Arrays | None = None
    error: Exception | None = None

    @property
    def rows(self) -> int:
        """How many it has."""
        return len(next(iter(self.inputs.values())))


class Merger:
    """Answers requests that wait at the same time together.

    A request that finds the graph at rest is answered at once, so nobody waits
    for company. Those that come while others are being answered wait, and of
    these a version's requests for one signature become one, where their inputs
    have the same shapes but for the number of rows, and the same largest `k`.
    Most of what a small request costs is the cost of any request.

    Where a request that was made of several fails, each is answered alone, so
    that nobody is refused for what another one sent.

    Args:
      runs: how many are answered at a time.
      limits: bound the rows, and the values of an input, of what is merged.
    """

    def __init__(self, runs: int, limits: Limits) -> None:
        self._free, self._limits = runs, limits
        self._changed = threading.Condition()
        self._waiting: dict[Any, list[_Asked]] = {}

    def run(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        seconds: float,
    ) -> _Arrays:
        """See `Servable.run`."""
        asked = _Asked(inputs, time.monotonic() + seconds)
        kind = _kind(servable, signature, inputs)
        with self._changed:
            self._waiting.setdefault(kind, []).append(asked)
            self._changed.wait_for(
                lambda: _is_done(asked) or (self._free and not asked.is_taken),
                seconds,
            )
            together = self._take(kind, asked)
            self._free -= bool(together)
        if together:
            try:
                _answer(servable, signature, together)
            finally:
                with self._changed:
                    self._free += 1
                    self._changed.notify_all()
        if asked.error is not None:
            raise asked.error
        if asked.answer is None:
            raise RequestError("DEADLINE_EXCEEDED", "others were in the way.")
        return asked.answer

    def _take(self, kind: Any, asked: _Asked) -> list[_Asked]:
        """A request and those that can be answered with it, if it waits."""
        if asked.is_taken:
            return []
        alike = self._waiting.pop(kind)
        alike.remove(asked)
        if not self._free:  # it is late
            together = []
        else:
            together, room = [asked], self._most(asked) - asked.rows
            for other in alike:
                if other.rows <= room:
                    together.append(other)
                    room -= other.rows
        for each in together:
            each.is_taken = True
        left = [each for each in alike if not each.is_taken]
        if left:
            self._waiting[kind] = left
        return together

    def _most(self, asked: _Asked) -> int:
        """How many rows of this kind are answered together."""
        widest = max(v.size // len(v) for v in asked.inputs.values())
        if "k" in asked.inputs:
            widest = max(widest, asked.inputs["k"].max())
        return min(
            self._limits.rows, self._limits.values // max(1, int(widest))
        )


def _kind(
    servable: Servable, signature: str, inputs: Mapping[str, np.ndarray]
) -> Any:
    """What requests have in common that can be merged."""
    shapes = tuple((name, inputs[name].shape[1:]) for name in sorted(inputs))
    # An answer has as many places as the largest.
    k = int(inputs["k"].max()) if "k" in inputs else 0
    return servable, signature, shapes, k


def _is_done(asked: _Asked) -> bool:
    return asked.answer is not None or asked.error is not None


def _answer(
    servable: Servable, signature: str, together: Sequence[_Asked]
) -> None:
    """Has each request have its answer, or the reason why there is none."""
    if len(together) > 1:
        # Whatever it is that fails, it may be one request's doing.
        with contextlib.suppress(Exception):
            return _answer_as_one(servable, signature, together)
    for each in together:
        left = each.end - time.monotonic()
        try:
            each.answer = servable.run(signature, each.inputs, left)
        except Exception as error:
            each.error = error


def _answer_as_one(servable, signature, together):
    merged = {
        name: np.concatenate([each.inputs[name] for each in together])
        for name in together[0].inputs
    }
    left = max(each.end for each in together) - time.monotonic()
    found = servable.run(signature, merged, left)
    start = 0
    for each in together:
        end = start + each.rows
        each.answer = {name: v[start:end] for name, v in found.items()}
        start = end
