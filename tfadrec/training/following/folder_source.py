"""The files of a folder, as they arrive."""

import pathlib
from collections.abc import Callable

from tfadrec.core.errors import InputError
from tfadrec.data.intake.summary import Summary
from tfadrec.data.sources import prepare_table


class FolderSource:
    """A folder into which days are put, in the order of their names.

    The place is the name of the last one. What comes later must have a greater
    name, and has to be moved there by a rename, whole; hidden names are left
    alone.

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

    def next(self, place: str | None) -> tuple[str, pathlib.Path] | None:
        """See `Source`."""
        if not isinstance(place, str | None):
            raise InputError(
                "a folder is followed from the name of a day on. Received: "
                f"{place!r} as the newest run's place. Remove that run's "
                "folder: what it has learned is learned again."
            )
        later = [
            path
            for path in self._entries()
            if not path.name.startswith(".")
            and (place is None or path.name > place)
            and (path.is_dir() if self._config is None else path.is_file())
        ]
        if not later:
            return None
        path = min(later, key=lambda each: each.name)
        if not path.name.isprintable():  # place.json holds no halves of letters
            raise InputError(
                "a day that is followed has a name of printable letters. "
                f"Received: {path.name!r}. Rename it."
            )
        if self._config is None or self._prepared is None:
            return path.name, path
        self._tell(prepare_table(self._config, self._prepared, log=path))
        return path.name, pathlib.Path(self._prepared)

    def _entries(self) -> list[pathlib.Path]:
        try:
            return list(self._folder.iterdir())
        except OSError as error:
            raise InputError(
                "what is followed is a folder. Received: "
                f"{self._folder}, where there is none that can be read "
                f"({error.strerror}). Make it, or name another one."
            ) from error
