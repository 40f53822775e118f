"""A message on one line, whatever it quotes."""


def one_line(text: str, most: int) -> str:
    """The text without line ends and control characters, which it names.

    A file or a request may hold what a terminal takes for commands.

    Args:
      text: a message.
      most: characters that are kept of it.
    """
    line = " ".join(text.split())
    line = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in line[: most + 1]
    )
    return line if len(line) <= most else line[:most] + " …"
