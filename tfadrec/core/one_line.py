"""A message on one line, whatever it quotes."""

import unicodedata

#: U+200D makes one emoji of several, each of which is a symbol that a tone of
#: skin (U+1F3FB to U+1F3FF) or U+FE0F may follow.
_JOINER, _OF_EMOJI = (
    "\u200d",
    "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff\ufe0f",
)


def one_line(text: str, most: int) -> str:
    """The text without line ends and control characters, which it names.

    A file or a request may hold what a terminal takes for commands.

    Args:
      text: a message.
      most: characters that are kept of it.
    """
    line = " ".join(text.split())
    line = visible(line[: most + 1])
    return line if len(line) <= most else line[:most] + " …"


def visible(text: str) -> str:
    """Lines with the names of all that a terminal takes for commands.

    What joins emoji stays, and is named anywhere else.

    Args:
      text: lines to print, which may quote a file.
    """
    return "".join(
        c
        if c.isprintable()
        or c == "\n"
        or unicodedata.category(c) == "Zs"
        or (c == _JOINER and _is_emoji(before) and _is_symbol(after))
        else c.encode("unicode_escape").decode()
        for before, c, after in zip(
            " " + text, text, text[1:] + " ", strict=False
        )
    )


def _is_emoji(c: str) -> bool:
    return c in _OF_EMOJI or _is_symbol(c)


def _is_symbol(c: str) -> bool:
    return unicodedata.category(c) == "So"
