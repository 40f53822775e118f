"""A part of a Parquet file that can be read by itself."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ParquetPiece:
    """Groups of rows of one file that can be read by themselves.

    Args:
      file: its number among the files of the folder.
      groups: their numbers in the file.
      rows: of all files before them.
    """

    file: int
    groups: tuple[int, ...]
    rows: int
