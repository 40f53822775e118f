"""What a JSON file in a bundle's folder, or a version's, tells."""

import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json

T = TypeVar("T")


def read_version_file(
    version: pathlib.Path,
    file: str,
    make: Callable[[Any], T],
    most_bytes: int | None = None,
    mend: str = "Export the run again, and remove that version.",
) -> T | None:
    """Reads a file that an export, or a change of ads, has written.

    Args:
      version: the version's folder, or that of all versions.
      file: its name.
      make: makes what is given of what the file holds.
      most_bytes: see `read_json`.
      mend: what is to be done where it is none that was written.

    Returns:
      None where there is no such file.

    Raises:
      InputError: where it is none that was written.
    """
    try:
        return make(read_json(version / file, most_bytes))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{file} must be as it was written. Received: {version}, where it "
            f"cannot be read ({error!r}). {mend}"
        ) from error
