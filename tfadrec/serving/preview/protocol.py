"""One connection of REST, and how an error is answered by it."""

import json

from aiohttp import web
from aiohttp.http import HttpProcessingError

from tfadrec import __version__
from tfadrec.serving.preview.request_error import INTERNAL, short_line

#: What the server calls itself in an answer's headers.
SERVER = f"tfadrec-preview/{__version__}"


class Protocol(web.RequestHandler):
    """One connection, where what is no HTTP is answered by a line of JSON, too.

    aiohttp tells of it by several lines of text, and by its own name.
    """

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what never became a request, or failed unforeseen."""
        super().handle_error(request, status, exc, message)
        line = INTERNAL
        if isinstance(exc, HttpProcessingError):
            line = f"a request must be HTTP. Received: {cause_of(exc)}."
        answer = error_answer(status, line)
        answer.force_close()
        answer.headers["Server"] = SERVER
        return answer


def cause_of(error: Exception) -> str:
    """What a parser says first, before lines that show where."""
    said = getattr(error, "message", "") or str(error)
    return " ".join(said.partition("\n\n")[0].split()).rstrip(":.")


def error_answer(status: int, line: str) -> web.Response:
    """An answer of JSON with one line.

    Args:
      status: of HTTP.
      line: made printable and short here, as it may quote the request.
    """
    return web.Response(
        status=status,
        body=json.dumps({"error": short_line(line)}).encode(),
        content_type="application/json",
    )
