"""What is raised where a disk is full."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator

import safetensors

from tfadrec.core.door import tf

#: No room, none for this user, and a file that is larger than files may be.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Which op has failed, as TensorFlow puts it before and behind the reason.
_OF_OPS = re.compile(r"\{\{.*?\}\}|\[Op:\w+\]")


def is_full(error: BaseException) -> bool:
    """Whether an error says that there was no room for a file.

    Libraries of other languages tell so in their text alone.
    """
    told = str(error)
    return any(
        code == getattr(error, "errno", None) or os.strerror(code) in told
        for code in _FULL
    )


@contextlib.contextmanager
def as_os_errors() -> Iterator[None]:
    """Turns what libraries raise for files that they cannot write.

    TensorFlow and safetensors have errors of their own, tokenizers none.

    Raises:
      OSError: in place of their own errors, in one line.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        of_files = (tf.errors.OpError, safetensors.SafetensorError)
        if not (isinstance(error, of_files) or is_full(error)):
            raise
        told = _OF_OPS.sub("", str(getattr(error, "message", error)))
        text = " ".join(told.split())[:500]
        raise OSError(f"a file cannot be written: {text}") from error
