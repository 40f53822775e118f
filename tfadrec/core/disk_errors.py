"""What TensorFlow and safetensors raise where a disk is full, as OSError."""

import contextlib
from collections.abc import Iterator

import safetensors

from tfadrec.core.door import tf


@contextlib.contextmanager
def as_os_errors() -> Iterator[None]:
    """Turns what these libraries raise for files that they cannot write.

    Raises:
      OSError: in place of their own errors, in one line.
    """
    try:
        yield
    except (tf.errors.OpError, safetensors.SafetensorError) as error:
        text = " ".join(str(getattr(error, "message", error)).split())[:500]
        raise OSError(f"a file cannot be written: {text}") from error
