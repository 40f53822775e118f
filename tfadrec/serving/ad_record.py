"""What was changed in a bundle's ads since its run was exported."""

import dataclasses
import json
import pathlib
from typing import Any

from tfadrec.core.bundle_folder import version_numbers
from tfadrec.serving.version_file import read_version_file

#: The file of a version's folder, which is not there where nothing was changed.
FILE = "ads.json"
_MOST_BYTES = 1 << 30

Ids = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class AdRecord:
    """Which ads of a version are not as its run has them.

    Args:
      removed: ids of ads that were taken down. Every later version of the
        bundle leaves them out as well, until they are added again.
      added: ids of ads that joined after the export.
      replaced: ids of ads that took the place of one that was there.
    """

    removed: Ids = ()
    added: Ids = ()
    replaced: Ids = ()

    @classmethod
    def load(cls, version: pathlib.Path) -> "AdRecord":
        """Reads that of a version's folder.

        Raises:
          InputError: where the file is none.
        """

        def made(told: Any) -> AdRecord:
            return cls(**{name: tuple(ids) for name, ids in told.items()})

        found = read_version_file(version, FILE, made, _MOST_BYTES)
        return cls() if found is None else found

    @classmethod
    def newest(cls, bundle: pathlib.Path) -> "AdRecord":
        """Reads that of a bundle's newest version, which has all take-downs.

        Args:
          bundle: the folder of versions; it may have none yet.

        Raises:
          InputError: as `load`.
        """
        numbers = version_numbers(bundle)
        return cls.load(bundle / str(numbers[-1])) if numbers else cls()

    def save(self, version: pathlib.Path) -> None:
        """Writes it into a version's folder, unless there is nothing to say."""
        if self != AdRecord():
            text = json.dumps(dataclasses.asdict(self))
            (version / FILE).write_text(text + "\n", "utf-8")

    def changed(self, removed: Ids, added: Ids, replaced: Ids) -> "AdRecord":
        """That of a version in which ads left, and then joined and changed."""
        back = {*added, *replaced}
        gone = {*removed} - back
        joined = _distinct(self.added + added, gone)
        return AdRecord(
            _distinct(self.removed + removed, back),
            joined,
            _distinct(self.replaced + replaced, gone | {*joined}),
        )


def still_given(bundle: pathlib.Path, version: int) -> Ids:
    """Ads that were taken down, and not in a version that was made before.

    Args:
      bundle: the folder of versions.
      version: one of them.

    Returns:
      Their ids. Some may be of ads that the version does not know.
    """
    own = AdRecord.load(bundle / str(version))
    return _distinct(AdRecord.newest(bundle).removed, {*own.removed})


def some(ids: Ids) -> str:
    """The first few of some ids, for a message."""
    return ", ".join(map(str, ids[:3]))


def _distinct(ids: Ids, without: set[str | int]) -> Ids:
    return tuple(i for i in dict.fromkeys(ids) if i not in without)
