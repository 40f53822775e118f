"""A part of a text file that can be read by itself."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TextPiece:
    """Whole rows of a text file that can be read by themselves.

    Args:
      begin: the byte of the file where they begin.
      size: their bytes.
      lines: of the file before them.
      names: of all columns; none where no row comes before.
    """

    begin: int
    size: int
    lines: int
    names: tuple[str, ...]
