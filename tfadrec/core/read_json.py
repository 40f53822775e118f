"""Reading a JSON file that may hold anything."""

import json
import pathlib
import stat
from typing import Any

#: What tfadrec writes for itself is far smaller.
_MOST_BYTES = 1 << 26


def read_json(path: pathlib.Path, most_bytes: int | None = None) -> Any:
    """What a JSON file holds.

    Args:
      path: of the file.
      most_bytes: that it may have; None for what tfadrec's own files have.

    Raises:
      OSError: where it cannot be read, or is a folder, a pipe or a device.
      ValueError: where it holds no JSON, or very much of it.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(f"{path} is no regular file")
    most = _MOST_BYTES if most_bytes is None else most_bytes
    if facts.st_size > most:
        raise ValueError(f"{path} has more than {most:,} bytes")
    return parse_json(path.read_bytes())


def parse_json(text: str | bytes) -> Any:
    """What a JSON text holds, which is UTF-8 where it is bytes.

    Raises:
      ValueError: where it is no JSON, is nested very deeply, has a name twice
        in an object, or halves of characters in its texts, which no file and no
        name can hold.
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        found = json.loads(text, object_pairs_hook=_object)
        if "\\ud" in text.lower():
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a name twice")
    return found
