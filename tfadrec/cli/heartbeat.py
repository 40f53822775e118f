"""A line now and then of work whose length is not known."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator

from tfadrec.core import progress
from tfadrec.core.one_line import visible


@contextlib.contextmanager
def heartbeat(logger: str) -> Iterator[None]:
    """Tells every half minute, on standard error, what is being done.

    That is the newest message of level INFO of a logger and those below it.
    Warnings of these are printed at once, and by nobody else.

    Args:
      logger: its name.
    """
    begun = time.monotonic()
    over = threading.Event()
    newest = _Newest(logging.INFO)
    source = logging.getLogger(logger)
    level, propagates = source.level, source.propagate

    def tell() -> None:
        while not over.wait(progress.LINE_SECONDS):
            seconds = time.monotonic() - begun
            line = f"{newest.message}, {seconds:.0f} s so far"
            print(line, file=sys.stderr, flush=True)

    source.addHandler(newest)
    source.setLevel(logging.INFO)
    # TensorFlow may give the root a handler, which would print each message.
    source.propagate = False
    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        source.setLevel(level)
        source.propagate = propagates
        source.removeHandler(newest)


class _Newest(logging.Handler):
    """Keeps the newest message, and prints warnings.

    Where a logger has a handler, Python prints its warnings no more.
    """

    message = "Working"

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            print(visible(record.getMessage()), file=sys.stderr, flush=True)
        else:
            self.message = record.getMessage()
