"""A folder that makes a new version of a bundle of an older one."""

import errno
import os
import pathlib
import shutil
from collections.abc import Iterable

import numpy as np

from tfadrec.core.bundle_folder import MODEL, VERSION, version_path
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import NAME, Manifest, facts_of_file, first_damaged
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.core.scratch_folder import clear_leftovers_in
from tfadrec.deltas.pieces import find_pieces, own_bytes

_KIND = "bundle delta"
#: The manifests of both versions, and the folders of what changed files are
#: made of: their pieces, and the bytes that the older version does not have.
_BASE, _TARGET = "base.json", "target.json"
_PIECES, _OWN = "pieces", "bytes"


def base_of_delta(old: str | os.PathLike[str]) -> pathlib.Path:
    """The version that a delta changes, where there can be one.

    Args:
      old: see `write_delta`.

    Raises:
      InputError: where it is no version, has no manifest, or its files are not
        as they were exported.
    """
    version = version_path(old)
    _manifest(version, VERSION)
    return version


def write_delta(
    old: str | os.PathLike[str],
    new: str | os.PathLike[str],
    out: str | os.PathLike[str],
) -> pathlib.Path:
    """Writes what a version of a bundle changes in an older one.

    Of every file that is not the same, the delta has the bytes that changed,
    and where the others stand in the older file of that name.

    Args:
      old: a version's folder, or the folder of versions, of which the newest
        is taken.
      new: likewise.
      out: the folder of the delta.

    Returns:
      That folder.

    Raises:
      InputError: where one is no version, or its files are not as they were
        exported, or `out` holds something else.
    """
    old, new = base_of_delta(old), version_path(new)
    base, target = _manifest(old, VERSION), _manifest(new, VERSION)
    folder = OwnedFolder(out, _KIND)
    # A killed export has written a version: the next delta has another name.
    clear_leftovers_in(folder.path.parent, _KIND)
    with folder.replacing() as fresh:
        (fresh / _BASE).write_bytes((old / NAME).read_bytes())
        (fresh / _TARGET).write_bytes((new / NAME).read_bytes())
        for name in _changed(base, target):
            for part in (_PIECES, _OWN):
                (fresh / part / name).parent.mkdir(parents=True, exist_ok=True)
            content = _bytes_of(new / name)
            pieces = find_pieces(_bytes_of(old / name), content)
            (fresh / _PIECES / name).write_bytes(pieces.astype("<i8").tobytes())
            with (fresh / _OWN / name).open("wb") as stream:
                for own in own_bytes(content, pieces):
                    stream.write(own.data)
    return folder.path


def apply_delta(
    old: str | os.PathLike[str],
    delta: str | os.PathLike[str],
    out: str | os.PathLike[str],
) -> pathlib.Path:
    """Makes the new version of a bundle, equal byte by byte.

    All files are compared with their SHA-256, those of the older version and of
    the delta before anything is written, and those of the new version before it
    takes its place.

    Args:
      old: the version that the delta was made for, or the folder of versions,
        of which the newest is taken.
      delta: a folder of `write_delta`.
      out: the folder of the new version, which is not there yet.

    Returns:
      That folder.

    Raises:
      InputError: where `old` is another version than that of the delta, a file
        of either is damaged, or `out` is there.
    """
    delta = pathlib.Path(delta)
    found = _manifest(delta, _KIND)
    damaged = first_damaged(delta, sorted(found.files))
    if damaged:
        raise _damaged(delta, damaged)
    _check_listed(delta, found, (_BASE, _TARGET))
    old = version_path(old)
    base, target = (
        Manifest.from_json((delta / name).read_bytes(), str(delta / name))
        for name in (_BASE, _TARGET)
    )
    if MODEL not in target.files:
        raise _damaged(delta, _TARGET)
    if _manifest(old, VERSION) != base:
        raise InputError(
            "a delta is applied to the version that it was made for. Received: "
            f"{old}, which is another one. Apply the deltas between, in their "
            "order, or copy the new version as a whole."
        )
    folder = OwnedFolder(out, VERSION)
    if folder.is_made:
        raise InputError(
            "a version is written once. Received: "
            f"{out}, which is there. Name another folder with --out."
        )
    _check_room(folder.path, sum(size for size, _ in target.files.values()))
    changed = _changed(base, target)
    for part in (_PIECES, _OWN):
        _check_listed(delta, found, [f"{part}/{name}" for name in changed])
    with folder.replacing() as fresh:
        for name, facts in target.files.items():
            file = fresh / name
            file.parent.mkdir(parents=True, exist_ok=True)
            content = _bytes_of(old / name)
            if name in changed:
                pieces = np.fromfile(delta / _PIECES / name, "<i8")
                if not _make_up(pieces, facts[0]):
                    raise _damaged(delta, f"{_PIECES}/{name}")
                own = _bytes_of(delta / _OWN / name)
                _put_together(file, content, pieces.reshape(-1, 3), own)
            else:
                file.write_bytes(content.data)
            if facts_of_file(file) != facts:
                raise _damaged(delta, name)
    return folder.path


def _make_up(pieces: np.ndarray, size: int) -> bool:
    """Whether pieces come to a file of that size, or they might fill a disk."""
    return (
        pieces.size % 3 == 0
        and bool((pieces >= 0).all())
        and pieces.reshape(-1, 3)[:, 1:].sum(dtype=np.float64) == size
    )


def _put_together(
    file: pathlib.Path, old: np.ndarray, pieces: np.ndarray, own: np.ndarray
) -> None:
    taken = 0
    with file.open("wb") as stream:
        for begin, copied, new in pieces.tolist():
            stream.write(old[begin : begin + copied].data)
            stream.write(own[taken : taken + new].data)
            taken += new


def _manifest(folder: pathlib.Path, kind: str) -> Manifest:
    """The manifest of a folder of a kind."""
    manifest = Manifest.in_folder(folder)
    if manifest is None or manifest.kind != kind:
        raise InputError(
            f"a {kind} has a {NAME} that says so. Received: {folder}, which "
            "has none. Name a folder that `tfadrec export` wrote; a bundle of "
            "version 0.1.0 has none, so send the new version as a whole."
        )
    return manifest


def _changed(base: Manifest, target: Manifest) -> list[str]:
    """The files of the target that the base does not have as they are."""
    return [
        name
        for name, facts in sorted(target.files.items())
        if base.files.get(name) != facts
    ]


def _bytes_of(file: pathlib.Path) -> np.ndarray:
    """A file's bytes, mapped into memory; none where there is no file."""
    if not file.is_file() or not file.stat().st_size:
        return np.zeros(0, np.uint8)
    return np.asarray(np.memmap(file, np.uint8, "r"))


def _check_listed(
    delta: pathlib.Path, manifest: Manifest, names: Iterable[str]
) -> None:
    """Refuses a delta that lacks files; all that are listed are there."""
    for name in names:
        if name not in manifest.files:
            raise _damaged(delta, name)


def _check_room(out: pathlib.Path, size: int) -> None:
    """Refuses a version that the disk has no room for, before it is full."""
    there = next(filter(os.path.exists, out.parents))
    free = shutil.disk_usage(there).free
    if size > free:
        raise OSError(
            errno.ENOSPC,
            f"a version of {size:,} bytes needs as much room, and {free:,} "
            "are free. Received",
            str(out),
        )


def _damaged(delta: pathlib.Path, name: str) -> InputError:
    return InputError(
        "a delta's files must be as they were written. Received: "
        f"{delta}, where {name} is not. Copy it again, or export again."
    )
