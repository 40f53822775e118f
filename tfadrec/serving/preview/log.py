"""What the preview says: one line at a time, whoever listens to it."""

import asyncio
import logging
import os
import time
import traceback
from typing import Any

from aiohttp.http import HttpProcessingError

from tfadrec.serving.preview.request_error import short_line

#: For standard error.
LOG = logging.getLogger("tfadrec.preview")
#: A line that came already is not said again for so long.
_SECONDS = 10.0
_MOST = 1000


def say(line: str) -> None:
    """Prints a line to standard output, for as long as somebody reads it."""
    try:
        print(line, flush=True)
    except (OSError, ValueError):
        # Nobody does, as under `| head`. Nothing is to fail because of it, not
        # even the end of the process, which writes out what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def set_up_logging() -> None:
    """Sends what all libraries log to standard error, a line for each fault.

    Where it went wrong is the last word of a line. What a client sent may stand
    in it, without control characters.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    handler.addFilter(_NotAgain())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # A full disk must not be reported to the same disk.
    logging.raiseExceptions = False


def handle_fault(
    loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """Logs what no task has handled."""
    LOG.error(context["message"], exc_info=context.get("exception"))


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        parts = [f"tfadrec: {record.getMessage()}"]
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            parts.append(f"{type(error).__name__}: {error}")
            frames = traceback.extract_tb(error.__traceback__)
            if frames:
                place = os.path.basename(frames[-1].filename)
                parts.append(f"({place}, line {frames[-1].lineno})")
        return short_line(" ".join(parts))


class _NotAgain(logging.Filter):
    """Lets a line pass once in a while, and none on what is no HTTP.

    A client that sends such is told so. It must not fill a disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(
            record.exc_info[1], HttpProcessingError
        ):
            return False
        line, now = _OneLine().format(record), time.monotonic()
        if now - self._said.get(line, -_SECONDS) < _SECONDS:
            return False
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[line] = now
        return True
