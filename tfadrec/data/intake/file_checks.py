"""What every file of rows must be, whatever its format."""

import collections
from collections.abc import Sequence
from typing import NoReturn

from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest
from tfadrec.data.intake.looks_like import looks_like
from tfadrec.data.intake.text_encoding import MARK

#: Why a row is refused whose bytes are no text.
NOT_UTF8 = "not UTF-8"


def not_text(encoding: str) -> str:
    """Why a row is refused whose bytes are no text in an encoding."""
    return NOT_UTF8 if encoding == "utf-8" else f"not {encoding}"


def require_columns(
    name: str, received: Sequence[str], columns: Sequence[str]
) -> None:
    """Refuses a file that lacks a column that is wanted, or has two of it.

    Where no columns are named, all are wanted.
    """
    counts = collections.Counter(received)
    if any(counts[name] > 1 for name in columns or received):
        raise InputError(
            f"the columns of {name} must have names of their own. Received: "
            f"{', '.join(received)}. Rename the repeated ones."
        )
    missing = [c for c in dict.fromkeys(columns) if c not in received]
    if missing:
        mend = (
            "Name one of these, or mend the file, or list `columns` where text "
            f"has no header.{nearest(missing[:1], received)}"
        )
        shown = ", ".join(received)
        if MARK in shown:
            shown = shown.replace(MARK, "?")
            mend = (
                "Bytes of the header are no text in its encoding, each a `?`: "
                "give the `encoding` of the file, such as latin-1."
            )
        raise InputError(
            f"{name} must have the column {missing[0]!r}. Received: {shown}. "
            f"{mend}"
        )


def empty_file(name: str, unit: str) -> InputError:
    """The error for a file without rows."""
    return InputError(
        f"a file of {unit} must hold rows. Received: {name}, which is empty. "
        "Check the path, or write the file again."
    )


def one_line(error: Exception) -> str:
    """What an error says, short and on one line."""
    return " ".join(str(error).split())[:300]


def refuse_other_kinds(
    data: bytes, unit: str, name: str, encoding: str
) -> None:
    """Refuses a file of another kind than text, by its first bytes.

    Raises:
      InputError: where it is one.
    """
    found = looks_like(data, encoding)
    if found:
        refuse_kind(found, unit, name)


def refuse_kind(found: str, unit: str, name: str) -> NoReturn:
    """Refuses a file, where `found` is as of `looks_like`.

    Raises:
      InputError: always.
    """
    what, _, mend = found.partition("; ")
    raise InputError(
        f"a file of {unit} must be text, JSON Lines or Parquet. Received: "
        f"{name}, which looks like {what}. {mend[:1].upper()}{mend[1:]}."
    )
