"""A file that takes its place in one step."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from tfadrec.core.owned_folder import local_path
from tfadrec.core.scratch_folder import FRESH, clear_leftovers, scratch_folder

_KIND = "file"


@contextlib.contextmanager
def replacing_file(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Where to write what then is the file.

    Where the body raises, or is interrupted, nothing has changed. Whatever file
    is there is replaced: it is the caller's to know that it may be. A symbolic
    link is followed, and stays a link.

    Args:
      path: of the file; its folder exists.

    Raises:
      InputError: where the path is no name of a local file.
      OSError: where it cannot be written.
    """
    path = local_path(path, "a file", "file")
    clear_leftovers(path, _KIND)
    with scratch_folder(path, _KIND) as scratch:
        yield scratch / FRESH
        os.replace(scratch / FRESH, path)


def replace_text(path: str | os.PathLike[str], text: str) -> None:
    """Replaces a file by a text."""
    with replacing_file(path) as fresh:
        fresh.write_text(text, encoding="utf-8")
