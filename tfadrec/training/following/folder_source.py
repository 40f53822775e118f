"""The files of a folder, as they arrive."""

import contextlib
import pathlib
import time
from collections.abc import Callable
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.data.intake.summary import Summary
from tfadrec.data.sources import prepare_table

#: Seconds in which a file that is being copied gets longer.
_MOMENT = 1.0


class FolderSource:
    """A folder into which days are put, in the order of their names.

    The place is the name of the last one, `day`, and of all that are there and
    were given, the size in bytes, `learned`. So one that comes late, with a
    smaller name, is given when it comes, and one that has another size since,
    is given again. A file that has just been written to is looked at for a
    second, and left for later where it gets longer meanwhile, as one does that
    is being copied. Hidden names are left alone.

    Args:
      folder: of dataset folders; with `config` of files, the rest of which is
        left alone in either case.
      config: a YAML file of `tfadrec prepare table`. Each file takes the place
        of that of its impressions, and of all else that is read off that one.
      prepared: the dataset folder to write each file's rows to; with `config`.
      tell: is given what became of each file's rows.

    Raises:
      InputError: where there is no such folder, at first or later.
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        config: str | pathlib.Path | None = None,
        prepared: str | pathlib.Path | None = None,
        tell: Callable[[Summary], object] = lambda summary: None,
    ) -> None:
        if (config is None) != (prepared is None):
            raise InputError(
                "`config` and `prepared` belong together. Received: "
                f"config={config!r}, prepared={prepared!r}."
            )
        self._folder = pathlib.Path(folder)
        self._config, self._prepared, self._tell = config, prepared, tell
        self._entries()

    def next(
        self, place: dict[str, Any] | None
    ) -> tuple[dict[str, Any], pathlib.Path] | None:
        """See `Source`."""
        learned = _learned(place)
        there = {path.name: path for path in self._entries()}
        for name, path in sorted(there.items()):
            size = self._size(path)
            if size is None or learned.get(name) == size:
                continue
            if self._is_at_rest(path, size):
                break
        else:
            return None
        if not name.isprintable():  # place.json holds no halves of letters
            raise InputError(
                "a day that is followed has a name of printable letters. "
                f"Received: {name!r}. Rename it."
            )
        known = {n: learned[n] for n in sorted(there) if n in learned}
        ends = {"day": name, "learned": {**known, name: size}}
        if self._config is None or self._prepared is None:
            return ends, path
        self._tell(prepare_table(self._config, self._prepared, log=path))
        return ends, pathlib.Path(self._prepared)

    def _size(self, path: pathlib.Path) -> int | None:
        """The bytes of a day; None where it is none, or is going away."""
        if path.name.startswith("."):
            return None
        with contextlib.suppress(OSError):
            if self._config is not None:
                return path.stat().st_size if path.is_file() else None
            if path.is_dir():
                files = [file for file in path.rglob("*") if file.is_file()]
                return sum(file.stat().st_size for file in files)
        return None

    def _is_at_rest(self, path: pathlib.Path, size: int) -> bool:
        """Whether it is not getting longer; datasets appear as a whole."""
        if self._config is None:
            return True
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _MOMENT:
                return True
        time.sleep(_MOMENT)
        return self._size(path) == size

    def _entries(self) -> list[pathlib.Path]:
        try:
            return list(self._folder.iterdir())
        except OSError as error:
            raise InputError(
                "what is followed is a folder. Received: "
                f"{self._folder}, where there is none that can be read "
                f"({error.strerror}). Make it, or name another one."
            ) from error


def _learned(place: Any) -> dict[str, int]:
    """Name -> size of the days that were given."""
    if place is None:
        return {}
    learned = place.get("learned") if isinstance(place, dict) else None
    if not isinstance(learned, dict):
        raise InputError(
            "a folder is followed from days on that were learned. Received: "
            f"{place!r:.100} as the newest run's place. Remove that run's "
            "folder: what it has learned is learned again."
        )
    return learned
