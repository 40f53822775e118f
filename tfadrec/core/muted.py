"""Standard error without what libraries of other languages write there."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Lets nothing come to standard error, of any thread of the process.

    It does so on the file descriptor, as a library in C++ or Rust writes there
    whatever Python is told to.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
