"""A hidden folder beside a target, in which what replaces it is made.

It is on the same filesystem, so that a rename brings its content into place.
A killed call leaves it behind; the next call of the same writer for the same
target removes it. A call that lives holds a lock on its own.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator

from tfadrec.core.manifest import entries

#: What is made, and what it has replaced where the two cannot be exchanged.
FRESH, OLD = "fresh", "old"
_NAMES = "names.json"


@contextlib.contextmanager
def scratch_folder(target: pathlib.Path, kind: str) -> Iterator[pathlib.Path]:
    """Makes a scratch folder, and removes it with what is left in it.

    Args:
      target: what is to be replaced; the folder of `target` exists.
      kind: what is written, such as `dataset`.
    """
    scratch, lock = _locked(target, kind)
    try:
        yield scratch
    finally:
        try:
            _put_back(scratch, target)
            _remove(scratch)
        finally:
            os.close(lock)


def clear_leftovers(target: pathlib.Path, kind: str) -> None:
    """Removes what killed calls have left, and mends what they have broken.

    A folder that a call which still runs is writing to stays, and so does one
    on a filesystem where that cannot be told.
    """
    for scratch in _left(target.parent, f"{_prefix(target, kind)}*"):
        _clear(scratch, target)


def clear_leftovers_in(folder: pathlib.Path, kind: str) -> None:
    """Removes what killed calls have left for new targets in a folder.

    What was to replace something stays for the next call of its own target.

    Args:
      folder: of the targets.
      kind: what was written.
    """
    for scratch in _left(folder, f"{_kind_prefix(kind)}*"):
        if is_scratch(scratch.name) and not (scratch / OLD).exists():
            _clear(scratch, None)


def is_scratch(name: str) -> bool:
    """Whether a scratch folder, of whatever writer, may be called so."""
    return (
        re.fullmatch(r"\.tfadrec-[\w.-]+-[0-9a-f]{16}-\w{8}", name) is not None
    )


def _clear(scratch: pathlib.Path, target: pathlib.Path | None) -> None:
    """Removes a scratch folder, where nobody is writing to it."""
    with contextlib.suppress(OSError):
        lock = os.open(scratch, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if target is not None:
                _put_back(scratch, target)
            _remove(scratch)
        finally:
            os.close(lock)


def _left(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def write_names(scratch: pathlib.Path, names: Collection[str]) -> None:
    """Says which files may be removed with the folder; no other one is then.

    Until this is written all that is in the folder is of its own making.
    Afterwards it may hold what was replaced, and a file that somebody has put
    there in that moment.

    Args:
      scratch: the folder.
      names: paths inside `FRESH` and inside `OLD`.
    """
    (scratch / _NAMES).write_text(json.dumps(sorted(names)), encoding="utf-8")


def _prefix(target: pathlib.Path, kind: str) -> str:
    # Not the name itself, which may be as long as a name can be.
    key = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    return f"{_kind_prefix(kind)}{key}-"


def _kind_prefix(kind: str) -> str:
    return f".tfadrec-{kind.replace(' ', '-')}-"


def _locked(target: pathlib.Path, kind: str) -> tuple[pathlib.Path, int]:
    """A new scratch folder, and the descriptor that holds its lock."""
    while True:
        scratch = pathlib.Path(
            tempfile.mkdtemp(prefix=_prefix(target, kind), dir=target.parent)
        )
        try:
            lock = os.open(scratch, os.O_RDONLY)
        except FileNotFoundError:
            continue
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Another call may have removed it before it was locked.
        if scratch.exists():
            return scratch, lock
        os.close(lock)


def _put_back(scratch: pathlib.Path, target: pathlib.Path) -> None:
    """Brings the target back that was moved away and not replaced."""
    old = scratch / OLD
    if old.exists() and not os.path.lexists(target):
        os.rename(old, target)


def _remove(scratch: pathlib.Path) -> None:
    names = _read_names(scratch)
    if names is None:
        shutil.rmtree(scratch)
        return
    for part in (FRESH, OLD):
        if (scratch / part).is_dir():
            _remove_named(scratch / part, names)
    if {entry.name for entry in scratch.iterdir()} <= {_NAMES}:
        shutil.rmtree(scratch)


def _read_names(scratch: pathlib.Path) -> set[str] | None:
    try:
        return set(json.loads((scratch / _NAMES).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        # Not there, or not wholly written: nothing was replaced yet.
        return None


def _remove_named(folder: pathlib.Path, names: set[str]) -> None:
    """Removes the files that are named, and the folders that are empty then."""
    for name, is_file in list(entries(folder)):
        if is_file and name in names:
            (folder / name).unlink()
    for place, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(place)
