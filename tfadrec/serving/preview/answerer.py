"""Requests to answers, in a bounded number of threads."""

import asyncio
import concurrent.futures
import hmac
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tfadrec.serving.preview.budget import Budget
from tfadrec.serving.preview.check_inputs import (
    check_inputs,
    check_names,
    refuse,
)
from tfadrec.serving.preview.drift import Drift
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.merger import Merger
from tfadrec.serving.preview.metrics import Metrics
from tfadrec.serving.preview.request_error import RequestError, quote
from tfadrec.serving.preview.servable import Servable
from tfadrec.serving.preview.versions import Versions

_T = TypeVar("_T")
#: Requests that may wait for the graph, which merges them, for each that it
#: answers at a time.
_WAITING = 8


class Answerer:
    """What REST and gRPC share.

    Args:
      versions: the model.
      limits: of a request.
      threads: how many requests, or merged ones, are answered at a time.
      drift: what is told of each request that was answered.
      token: what a caller has to know; None lets everybody in.
    """

    def __init__(
        self,
        versions: Versions,
        limits: Limits,
        threads: int,
        drift: Drift,
        token: str | None = None,
    ) -> None:
        self.versions, self.limits, self.drift = versions, limits, drift
        self.bodies = Budget(limits.bodies)
        self.metrics = Metrics(versions.name)
        self._token = token
        self._most = threads + limits.waiting
        self._threads = concurrent.futures.ThreadPoolExecutor(
            min(_WAITING * threads, self._most), thread_name_prefix="answer"
        )
        # More of them would keep each other, and the event loop, from Python,
        # and a body that is read takes many times its bytes.
        self._reading = threading.Semaphore(threads)
        self._merger = Merger(threads, limits)
        self._room = threading.Semaphore(self._most)

    def let_in(self, authorization: str | None) -> None:
        """Checks the bearer token, in a time that tells nothing about it.

        Raises:
          RequestError: where it is missing or wrong.
        """
        if self._token is None:
            return
        scheme, _, given = (authorization or "").partition(" ")
        same = hmac.compare_digest(
            self._token.encode(), given.strip(" ").encode("utf-8", "replace")
        )
        if not same or scheme.lower() != "bearer":
            raise RequestError(
                "UNAUTHENTICATED",
                "the header `authorization` must be `Bearer` and the token.",
            )

    async def work(
        self,
        job: Callable[[float], _T],
        begun: float,
        done: Callable[[], None] = lambda: None,
    ) -> _T:
        """Runs a job in a thread.

        Args:
          job: called with the moment, by `time.monotonic`, when it is late.
          begun: when its request began.
          done: called at its end, which may come after the answer that it is
            late, or at once where it does not begin.

        Raises:
          RequestError: where too many wait, or it takes too long.
        """
        end = begun + self.limits.seconds
        if not self._room.acquire(blocking=False):
            done()
            raise RequestError(
                "UNAVAILABLE",
                f"at most {self._most} requests are taken at a time. Received: "
                "one more. Try again later.",
            )

        def at_its_end(_) -> None:
            done()
            self._room.release()

        def in_turn() -> _T:
            with self._reading:
                return job(end)

        future = self._threads.submit(in_turn)
        # A job that is late has its thread until then.
        future.add_done_callback(at_its_end)
        try:
            return await asyncio.wait_for(
                asyncio.wrap_future(future), end - time.monotonic()
            )
        except (TimeoutError, asyncio.TimeoutError) as error:
            raise self._late() from error

    def predict(
        self,
        servable: Servable,
        signature: str,
        read: Callable[[Any], dict[str, Any]],
        end: float,
    ) -> dict[str, Any]:
        """Checks a request and answers it; runs in a job of `work`.

        Args:
          servable: the version.
          signature: a name.
          read: from the specs of its inputs to arrays.
          end: see `work`.

        Returns:
          Output name -> array.

        Raises:
          RequestError: with one line.
        """
        definition = servable.signatures.get(signature)
        if definition is None:
            refuse(
                f"signatures are {', '.join(sorted(servable.signatures))}",
                quote(signature),
            )
        inputs = read(definition.inputs)
        check_names(inputs, definition.inputs)
        check_inputs(inputs, definition.inputs, self.limits)
        left = end - time.monotonic()
        if left <= 0:
            raise self._late()
        self._reading.release()  # to others, while this one waits
        try:
            outputs = self._merger.run(servable, signature, inputs, left)
        except RequestError as error:
            if error.code == "DEADLINE_EXCEEDED":
                raise self._late() from error
            raise
        finally:
            self._reading.acquire()
        self.drift.add(servable, inputs, outputs)
        return outputs

    def close(self) -> None:
        """Waits for what is being worked on."""
        self._threads.shutdown(cancel_futures=True)

    def _late(self) -> RequestError:
        return RequestError(
            "DEADLINE_EXCEEDED",
            f"an answer may take {self.limits.seconds:g} s. Received: a "
            "request that takes longer. Ask again if it is the first of its "
            "signature, whose graph is prepared then; else send fewer rows or "
            "ads.",
        )
