"""A message on one line, whatever it quotes."""

import unicodedata


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

    Args:
      text: lines to print, which may quote a file.
    """
    return "".join(
        c
        if c.isprintable() or c == "\n" or unicodedata.category(c) == "Zs"
        else c.encode("unicode_escape").decode()
        for c in text
    )
