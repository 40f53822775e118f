"""Small files that are whole or not there."""

import os
import pathlib
from typing import Any

from tfadrec.core import read_json as core
from tfadrec.core.errors import InputError


def write_text(path: pathlib.Path, text: str) -> None:
    """Replaces a file in one step."""
    fresh = path.with_name(path.name + ".fresh")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """What a file holds; nothing where it is not there.

    Raises:
      InputError: where it holds no object of JSON.
    """
    if not path.is_file():
        return {}
    try:
        found = core.read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"a sweep must have the files that it wrote. Received: {path}: "
            f"{error}. Begin with another folder."
        ) from error
    if not isinstance(found, dict):
        raise InputError(
            f"a sweep must have the files that it wrote. Received: {path}, "
            "which holds no object. Begin with another folder."
        )
    return found
