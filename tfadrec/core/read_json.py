"""Reading a JSON file that may hold anything."""

import json
import pathlib
import stat
from typing import Any

#: What tfadrec writes for itself is far smaller.
_MOST_BYTES = 1 << 26


def read_json(path: pathlib.Path) -> Any:
    """What a JSON file holds.

    Raises:
      OSError: where it cannot be read, or is a folder, a pipe or a device.
      ValueError: where it holds no JSON, or very much of it.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(f"{path} is no regular file")
    if facts.st_size > _MOST_BYTES:
        raise ValueError(f"{path} has more than {_MOST_BYTES:,} bytes")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply") from error
