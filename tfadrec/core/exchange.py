"""Two folders change places in one step, where the system can do that."""

import ctypes
import errno
import os
import sys

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
#: What a system or a filesystem answers that cannot exchange.
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def exchange(one: str | os.PathLike[str], two: str | os.PathLike[str]) -> bool:
    """Lets two paths of one filesystem change places; nobody sees neither.

    It is `renameat2` with RENAME_EXCHANGE of Linux, which most of its local
    filesystems know.

    Returns:
      False where the system or the filesystem cannot do that; nothing has
      changed then.

    Raises:
      OSError: where the exchange was tried and failed.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    paths = [ctypes.c_char_p(os.fsencode(path)) for path in (one, two)]
    if not rename(
        ctypes.c_int(_AT_FDCWD),
        paths[0],
        ctypes.c_int(_AT_FDCWD),
        paths[1],
        ctypes.c_uint(_RENAME_EXCHANGE),
    ):
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), os.fspath(two))
