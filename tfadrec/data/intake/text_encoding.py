"""Text files of any encoding as UTF-8, and their delimiter as one character."""

import codecs
import re

import pyarrow as pa

from tfadrec.core.errors import InputError

# Broken bytes are read as half of a character, which no text has, and then as
# a run of marks that is longer than any in the file.
_HALF = "\udcff"
MARK = "\uffff"
_HANDLER = "tfadrec_half"
codecs.register_error(_HANDLER, lambda error: (_HALF, getattr(error, "end", 0)))
#: Characters that files hardly hold, to stand for a longer delimiter.
_STAND_INS = (*range(0x1F, 0x0D, -1), *range(1, 9), 0x7F)


def check_encoding(encoding: str, where: str) -> None:
    """Refuses an encoding that text cannot be read with.

    Raises:
      InputError: where it is one.
    """
    try:
        known = "a".encode(encoding).decode(encoding, _HANDLER) == "a"
    except (LookupError, ValueError):
        known = False
    if not known:
        raise InputError(
            f"{where} must be an encoding of text that Python knows. Received: "
            f"{encoding!r}. Write, for example, utf-8, latin-1, cp1252 or "
            "utf-16."
        )


def as_utf8(data: bytes, encoding: str) -> tuple[bytes, str]:
    """The text as UTF-8, and what stands for bytes that are broken in it.

    Args:
      data: the text in an encoding that `check_encoding` lets pass, perhaps
        after a byte order mark.
      encoding: that one.

    Returns:
      The text, and the mark that takes the place of broken bytes, or "".
    """
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        encoding = "utf-8"
        data = data.removeprefix(codecs.BOM_UTF8)
        try:
            pa.array([data], pa.large_binary()).cast(pa.large_string())
        except pa.ArrowInvalid:
            pass
        else:
            return data, ""
    text = data.decode(encoding, _HANDLER).removeprefix("\ufeff")
    halves = re.compile("[\ud800-\udfff]+")
    if not halves.search(text):
        return text.encode(), ""
    longest = max(map(len, re.findall(f"{MARK}+", text)), default=0)
    mark = MARK * (longest + 1)
    return halves.sub(mark, text).encode(), mark


def with_one_character(
    text: bytes, delimiter: str, name: str
) -> tuple[bytes, str]:
    """The text with one character in the place of a longer delimiter.

    Args:
      text: UTF-8.
      delimiter: of more than one character.
      name: what to call the file in messages.

    Returns:
      The text and its new delimiter.

    Raises:
      InputError: where the text holds every character that could be it.
    """
    for code in _STAND_INS:
        if code not in text:
            return text.replace(delimiter.encode(), bytes([code])), chr(code)
    raise InputError(
        "a text with a delimiter of several characters must leave one control "
        f"character free. Received: {name}, which holds all of them. Write the "
        "file with another delimiter."
    )
