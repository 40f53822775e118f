"""Work that can be done in pieces, anywhere."""

from collections.abc import Iterator
from typing import Any, Protocol


class Work(Protocol):
    """What a pipeline does; it is pickled, and so are pieces and results."""

    def pieces(self) -> Iterator[Any]:
        """The pieces, in order."""

    def do(self, piece: Any) -> Iterator[Any]:
        """What is found in a piece.

        Raises:
          TfadrecError: which ends the work, where the user is to be told.
        """
