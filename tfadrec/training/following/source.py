"""What a follower asks for the next piece of a log."""

import pathlib
from typing import Any, Protocol


class Source(Protocol):
    """A log that grows, read piece by piece from a place on.

    A place is where in the log a piece ends: the name of a file, or what a
    Kafka client knows as the offsets of its partitions. It is kept with what
    was learned up to it, so a source has no state that must outlive it.

    Example:
      class Topic:
          def next(self, place):
              offsets, messages = poll(since=place)
              if not messages:
                  return None
              return offsets, write_as_dataset(messages)
    """

    def next(self, place: Any) -> tuple[Any, str | pathlib.Path] | None:
        """The piece after a place.

        It is asked again with the same place where the follower was killed
        before it had taken the piece over, and may then give a larger one.

        Args:
          place: what it gave with the piece before, as JSON has it; None at the
            log's beginning.

        Returns:
          The place at the piece's end, of what JSON can hold, and a dataset
          folder of its rows; None where there is no piece yet.
        """
        ...
