"""What a request is refused with."""

import re
import traceback

from tfadrec.core.one_line import one_line

#: Name of a canonical code -> status of HTTP, as TensorFlow Serving maps them.
HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
#: What is said of a fault of the server's own.
INTERNAL = "the server failed; its standard error says where. Report it."
#: As Python writes it, unless its backslash was there and is written as two.
_JOINER = re.compile(r"(?<!\\)((?:\\\\)*)\\u200d")
_LONGEST = 400
_QUOTED = 60


class RequestError(Exception):
    """A request that is not answered, with one line that says why.

    Args:
      code: one of `HTTP_STATUS`, which gRPC has as well.
      message: the rule, what was received, and the mend; made printable and
        short here, as it may quote the request.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(short_line(message))
        self.code = code

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return HTTP_STATUS[self.code]


def forget_frames(error: BaseException | None) -> None:
    """Lets go of what the functions held that an error went through.

    A failed future holds its error, the error's traceback the function that has
    waited for the future, and this function the future. Such a ring, and the
    body of the request in it, would stay until Python's collector comes to its
    oldest objects, which takes minutes.

    Args:
      error: that is answered, with those that led to it. Its traceback still
        tells where it was.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def short_line(text: str) -> str:
    """Printable, and not long, whatever it quotes."""
    return one_line(text, _LONGEST)


def quote(value: object) -> str:
    """A value of a request as an error repeats it: its beginning.

    What joins emoji is as it came; `RequestError` names it anywhere else.
    """
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, (str, bytes)):
        value = value[:_QUOTED]
    text = _JOINER.sub("\\1\u200d", repr(value))
    return text if len(text) <= _QUOTED else text[:_QUOTED] + " …"
