"""How many connections REST has, and how long one may keep others waiting."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError

_TICK_SECONDS = 0.25
#: Looking whether any are open takes no time.
_DRAIN_TICK_SECONDS = 0.02
#: A connection that has waited so long may give its place to a new one.
_PATIENT_SECONDS = 1.0


def _answer(status: str, line: str) -> bytes:
    body = f'{{"error": "{line}"}}'
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: 1\r\n"
        f"Connection: close\r\n\r\n{body}"
    ).encode()


_FULL = _answer(
    "503 Service Unavailable",
    "there are too many connections. Try again later.",
)
_SLOW = _answer("408 Request Timeout", "headers must come in time.")


class Connections:
    """The open connections, of which a client cannot keep one for nothing.

    aiohttp bounds what one connection holds. Here their number is bounded, and
    how long one takes to send headers and to read an answer. A client that has
    closed its own direction is answered all the same.

    Args:
      limits: see there.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        #: Whether each is closed after its next answer, which says so.
        self.is_draining = False
        # By the protocol of aiohttp, which a request knows.
        self._open: dict[asyncio.Protocol, _Connection] = {}

    def factory(
        self, make: Callable[[], asyncio.Protocol]
    ) -> Callable[[], asyncio.Protocol]:
        """What makes the protocol of a new connection.

        Args:
          make: makes aiohttp's.
        """
        return lambda: _Connection(self, make)

    def begin(self, request: web.Request) -> None:
        """A request has come, and its body may follow."""
        found = self._open.get(request.protocol)
        if found is not None:
            found.begin(request)

    def end(self, request: web.Request) -> None:
        """Its answer is ready to be sent."""
        found = self._open.get(request.protocol)
        if found is not None:
            found.end()

    async def watch(self) -> None:
        """Ends connections that are late, for ever."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            for connection in list(self._open.values()):
                connection.look(self._limits.client_seconds)

    async def drain(self) -> None:
        """Waits until all connections have ended, once no more are taken.

        A client may be about to send its next request over a connection that
        it keeps alive. It is answered, and told that the connection closes.
        Who sends nothing is late after `client_seconds`, as ever.
        """
        self.is_draining = True
        limits, clock = self._limits, asyncio.get_running_loop().time
        end = clock() + limits.client_seconds + limits.seconds
        while self._open and clock() < end:
            await asyncio.sleep(_DRAIN_TICK_SECONDS)

    def admit(self, inner: asyncio.Protocol, new: "_Connection") -> bool:
        """Makes room for a connection, if there is any."""
        if len(self._open) >= self._limits.connections:
            waiting = [
                each
                for each in self._open.values()
                if each.waits() > _PATIENT_SECONDS
            ]
            if not waiting:
                return False
            max(waiting, key=_Connection.waits).expire()
        self._open[inner] = new
        return True

    def forget(self, inner: asyncio.Protocol) -> None:
        """A connection is gone, or about to be."""
        self._open.pop(inner, None)


class _Connection(asyncio.Protocol):
    """Stands before the protocol of aiohttp and looks at the clock."""

    def __init__(
        self, among: Connections, make: Callable[[], asyncio.Protocol]
    ) -> None:
        self._among, self._inner = among, make()
        self._transport: asyncio.Transport | None = None  # where it was let in
        self._clock = asyncio.get_running_loop().time
        self._since = self._clock()  # nothing is worked on since then
        self._stuck: float | None = (
            None  # an answer waits to be read since then
        )
        self._request: web.Request | None = None
        self._sent = self._half_closed = False

    def connection_made(self, transport) -> None:
        if not self._among.admit(self._inner, self):
            transport.write(_FULL)
            transport.close()
            return
        self._transport = transport
        self._inner.connection_made(transport)

    def connection_lost(self, exc) -> None:
        if self._transport is not None:
            self._among.forget(self._inner)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._sent = True
            self._inner.data_received(data)

    def eof_received(self) -> bool:
        """Whether the other direction stays open, which `look` will close."""
        self._half_closed = True
        self._refuse_half_a_body()
        return self._sent or self._request is not None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def begin(self, request: web.Request) -> None:
        self._request = request
        self._refuse_half_a_body()

    def end(self) -> None:
        self._request, self._sent = None, False
        self._since = self._clock()

    def waits(self) -> float:
        """Seconds for which it has waited for a request; 0 if it does not."""
        if self._request is not None or self._stuck is not None:
            return 0.0
        return self._clock() - self._since

    def look(self, seconds: float) -> None:
        """Ends it where it is late, or nothing more will come."""
        transport, now = self._transport, self._clock()
        if transport is None:
            return
        if not transport.get_write_buffer_size():
            self._stuck = None
        elif self._stuck is None:
            self._stuck = now
        if self._stuck is not None and now - self._stuck > seconds:
            transport.abort()
        elif self.waits() > (_TICK_SECONDS if self._half_closed else seconds):
            self.expire()

    def expire(self) -> None:
        """Ends a connection that waits for a request."""
        self._among.forget(self._inner)
        if self._transport is not None:
            if self._sent and not self._half_closed:
                self._transport.write(_SLOW)
            self._transport.close()

    def _refuse_half_a_body(self) -> None:
        if not self._half_closed or self._request is None:
            return
        body = self._request.content
        if not body.is_eof():
            body.set_exception(
                RequestError(
                    "INVALID_ARGUMENT",
                    "a body must be as long as its header says. Received: its "
                    "end before.",
                )
            )
            body.feed_eof()  # so that nobody waits for the rest
