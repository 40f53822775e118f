"""Small files that are whole or not there."""

import json
import os
import pathlib
from typing import Any


def write_text(path: pathlib.Path, text: str) -> None:
    """Replaces a file in one step."""
    fresh = path.with_name(path.name + ".fresh")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """What a file holds; nothing where it is not there."""
    if not path.is_file():
        return {}
    return json.loads(path.read_text(encoding="utf-8"))
