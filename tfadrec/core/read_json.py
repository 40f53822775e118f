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
