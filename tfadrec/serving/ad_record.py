"""What was changed in a bundle's ads since its run was exported."""

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

from tfadrec.core.schema import IdType
from tfadrec.serving.version_file import read_version_file

#: The file of a version's folder, which is not there where nothing was changed.
FILE = "ads.json"
#: That of all versions, beside `models.config`; see `taken_down`.
DOWN = "taken_down.json"
#: Of such a file that are read.
MOST_BYTES = 1 << 30
_IS_ID: dict[IdType, Callable[[Any], bool]] = {
    "string": lambda told: isinstance(told, str),
    # A truth value is an int as well.
    "int64": lambda told: type(told) is int and -(2**63) <= told < 2**63,
}

Ids = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class AdRecord:
    """Which ads of a version are not as its run has them.

    Args:
      removed: ids of ads that the version leaves out as they were taken down.
      added: ids of ads that joined after the export.
      replaced: ids of ads that took the place of one that was there.
    """

    removed: Ids = ()
    added: Ids = ()
    replaced: Ids = ()

    @classmethod
    def load(
        cls, version: pathlib.Path, id_type: IdType | None = None
    ) -> "AdRecord":
        """Reads that of a version's folder.

        Args:
          version: the folder.
          id_type: of the bundle's ads; None where it is not known.

        Raises:
          InputError: where the file is none.
        """

        def made(told: Any) -> AdRecord:
            names = [field.name for field in dataclasses.fields(cls)]
            if sorted(told) != sorted(names):
                raise ValueError(f"no lists {', '.join(names)}")
            return cls(**{name: as_ids(told[name], id_type) for name in names})

        mend = (
            f"Write the ids of all ads that are down to {version.parent / DOWN}"
            ', a list such as ["a17"], unless that file is there. Then export '
            "the run again, and remove that version."
        )
        found = read_version_file(version, FILE, made, MOST_BYTES, mend)
        return cls() if found is None else found

    def save(self, version: pathlib.Path) -> None:
        """Writes it into a version's folder, unless there is nothing to say."""
        if self != AdRecord():
            text = json.dumps(dataclasses.asdict(self))
            (version / FILE).write_text(text + "\n", "utf-8")

    def changed(self, removed: Ids, added: Ids, replaced: Ids) -> "AdRecord":
        """That of a version in which ads left, and then joined and changed."""
        back = {*added, *replaced}
        gone = {*removed} - back
        joined = distinct(self.added + added, gone)
        return AdRecord(
            distinct(self.removed + removed, back),
            joined,
            distinct(self.replaced + replaced, gone | {*joined}),
        )


def as_ids(told: Any, id_type: IdType | None = None) -> Ids:
    """The ids of ads that a JSON file has.

    Args:
      told: what it has.
      id_type: of the bundle's ads; where it is None, that of the first id.

    Raises:
      ValueError: where that is no list of ids of one type.
    """
    if not isinstance(told, list):
        raise ValueError(f"no list of ids: {str(told)[:40]}")
    if id_type is None:
        id_type = "string" if isinstance((told or [""])[0], str) else "int64"
    is_id = _IS_ID[id_type]
    for each in told:
        if not is_id(each):
            raise ValueError(f"{str(each)[:40]!r} is no id of type {id_type}")
    return tuple(told)


def some(ids: Ids) -> str:
    """The first few of some ids, for a message."""
    return ", ".join(str(i)[:40] for i in ids[:3])


def distinct(ids: Ids, without: set[str | int]) -> Ids:
    """Each id once, but for some."""
    return tuple(i for i in dict.fromkeys(ids) if i not in without)
