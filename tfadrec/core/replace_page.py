"""A page that stands alone and belongs to one writer."""

import hashlib
import os
import re
from collections.abc import Callable

from tfadrec.core.errors import InputError
from tfadrec.core.owned_folder import local_path
from tfadrec.core.scratch_folder import FRESH, clear_leftovers, scratch_folder

_SIGNATURE = "<!-- written by tfadrec, sha256 {} -->\n"
_SIGNED = re.compile(_SIGNATURE.format("([0-9a-f]{64})") + r"\Z")


def replace_page(
    out: str | os.PathLike[str],
    content: str,
    kind: str,
    *,
    older: Callable[[str], bool] | None = None,
) -> None:
    """Writes a file of HTML or XML, which is the old or the new one, whole.

    A comment at its end holds the SHA-256 of what stands before, so that the
    next call knows whether the file is its own and as it was. Another file in
    the way is an error. A symbolic link is followed, and stays a link.

    Args:
      out: the file, as the user named it; its folders are made.
      content: the text, which ends with a line end.
      kind: what it is, such as `report`.
      older: whether a text without that comment was written by a version that
        wrote none.

    Raises:
      InputError: where something is there that this writer did not write.
      OSError: where the file cannot be written.
    """
    path = local_path(out, f"a {kind}", "file")
    clear_leftovers(path, kind)
    if os.path.lexists(path) and not (
        path.is_file() and _is_own(path.read_bytes(), older)
    ):
        raise InputError(
            f"a {kind} only takes the place of a {kind} that nobody has "
            f"changed. Received: {os.fspath(out)}, which is something else. "
            "Move that away, or name another file."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(path, kind) as scratch:
        fresh = scratch / FRESH
        fresh.write_text(content + _signature(content), encoding="utf-8")
        os.replace(fresh, path)


def _signature(content: str) -> str:
    return _SIGNATURE.format(hashlib.sha256(content.encode()).hexdigest())


def _is_own(data: bytes, older: Callable[[str], bool] | None) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    signed = _SIGNED.search(text)
    if signed is not None:
        content = text[: signed.start()]
        return text == content + _signature(content)
    return not text or (older is not None and older(text))
