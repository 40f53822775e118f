"""Files of Python values on any filesystem that Beam has.

They are pickles, as what Beam itself sends to its workers is: who can write to
the folder can run code on them and here.
"""

import pickle
from collections.abc import Iterable, Iterator
from typing import Any

from apache_beam.io.filesystems import FileSystems


def write_values(path: str, values: Iterable[Any]) -> None:
    """Writes values, one after another, so that one is in memory at a time.

    Raises:
      OSError: where the file cannot be written.
    """
    # What is packed on the way cannot be read in pieces.
    with FileSystems.create(path, compression_type="uncompressed") as file:
        for value in values:
            pickle.dump(value, file, protocol=5)


def read_values(path: str) -> Iterator[Any]:
    """The values of a file, in their order.

    Raises:
      OSError: where the file cannot be read.
    """
    with FileSystems.open(path, compression_type="uncompressed") as file:
        while True:
            try:
                yield pickle.load(file)
            except EOFError:
                return
