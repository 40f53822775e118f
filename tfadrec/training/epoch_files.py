"""What a training has at the end of an epoch, as files."""

import collections
import json
import pathlib
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tfadrec.core.door import tf
from tfadrec.core.read_json import read_json
from tfadrec.training import table_files

#: Bytes from which on a table has files of its own. Smaller ones are written in
#: a tenth of a second.
_LARGE = 1 << 26
#: The share of changed rows from which on a table is written as a whole again.
_MOST = 0.5
#: The end of the name of the list of an epoch's tables.
_TABLES = ".tables.json"


def write_epoch(
    part: tf.Module,
    fresh: pathlib.Path,
    folder: pathlib.Path,
    name: str,
    before: str,
) -> None:
    """Writes the variables of a model, of tables what has changed.

    An epoch is a checkpoint of TensorFlow. But a table of 64 MiB or more is
    left out of it, and has files of its own: a whole one, and for later epochs
    the rows that differ from that, until these are half of it.
    `NAME.tables.json` has the files of each table that the epoch needs: a whole
    one, of itself or of an earlier epoch, and two with the numbers and the
    values of rows.

    Args:
      part: what is kept: a built `keras.Model`, with a built optimiser.
      fresh: the folder to write to.
      folder: the one that the files are brought to afterwards, and in which
        those of earlier epochs are.
      name: of the epoch, a path in the folder.
      before: that of the epoch before, which need not be there.

    Raises:
      ValueError: where the tables of the epoch before cannot be read.
      OSError: where files cannot be written, or `tf.errors.OpError`.
    """
    stem = fresh / name
    stem.parent.mkdir(parents=True, exist_ok=True)
    leaves = _leaves(part)
    large = sorted(path for path, leaf in leaves.items() if _is_large(leaf))
    _checkpoint(part, leaves, large).write(str(stem))
    if not large:
        return
    known = _read_tables(folder, before)
    told = {
        path: _write_table(
            leaves[path],
            stem.with_name(f"{stem.name}.{number}"),
            (folder / before).parent,
            known.get(path, ()),
        )
        for number, path in enumerate(large)
    }
    _list_of(fresh, name).write_text(json.dumps(told, indent=1))


def read_epoch(part: tf.Module, folder: pathlib.Path, name: str) -> None:
    """Gives variables what they had at the end of an epoch.

    Args:
      part: what was kept, or a `tf.Module` with some attributes of it, under
        their names.
      folder: in which the files are.
      name: of the epoch; see `write_epoch`.

    Raises:
      ValueError: where they cannot be read, or are of another model; or an
        `AssertionError`, `OSError` or `tf.errors.OpError`.
    """
    leaves, tables = _leaves(part), _read_tables(folder, name)
    large = [path for path in leaves if path in tables]
    checkpoint = _checkpoint(part, leaves, tables)
    read = checkpoint.read(str(folder / name))
    # What was kept beside the attributes stays where it is, untold.
    read.assert_existing_objects_matched().expect_partial()
    for path in large:
        place = (folder / name).parent
        whole, *changed = (place / file for file in tables[path])
        table_files.read_whole(leaves[path], whole)
        if changed:
            table_files.read_rows(leaves[path], *changed)


def files_of(folder: pathlib.Path, name: str) -> set[str]:
    """The files that an epoch needs, as paths in the folder.

    Args:
      folder: in which they are.
      name: of the epoch; see `write_epoch`.

    Raises:
      ValueError: where its list of tables cannot be read, or an `OSError`.
    """
    stem = folder / name
    files = {
        file
        for file in stem.parent.glob(f"{stem.name}.*")
        if file.suffix != ".npy"
    }
    for names in _read_tables(folder, name).values():
        files |= {stem.with_name(file) for file in names}
    return {file.relative_to(folder).as_posix() for file in files}


def _checkpoint(
    part: tf.Module, leaves: Mapping[str, Any], tables: Collection[str]
) -> tf.train.Checkpoint:
    """One of all variables but tables that have files of their own."""
    if not tables:
        return tf.train.Checkpoint(model=part)
    small = {path: leaves[path] for path in leaves if path not in tables}
    return tf.train.Checkpoint(model=small)


def _write_table(
    table: tf.Variable,
    stem: pathlib.Path,
    place: pathlib.Path,
    known: Sequence[str],
) -> list[str]:
    """Writes a table, or what has changed of it.

    Args:
      table: the variable.
      stem: what its files begin with.
      place: the folder of earlier files.
      known: those of the epoch before.

    Returns:
      The names of its files.
    """
    if known:
        whole = place / known[0]
        numbers = table_files.changed_rows(table, whole)
        if len(numbers) < _MOST * table.shape[0]:
            if not len(numbers):
                return [whole.name]
            files = [
                stem.with_name(f"{stem.name}.{what}.npy")
                for what in ("numbers", "rows")
            ]
            table_files.write_rows(table, numbers, *files)
            return [whole.name, *(file.name for file in files)]
    whole = stem.with_name(f"{stem.name}.npy")
    table_files.write_whole(table, whole)
    return [whole.name]


def _read_tables(folder: pathlib.Path, name: str) -> dict[str, list[str]]:
    """The files of each table of an epoch; none of one without large tables.

    Raises:
      ValueError: where the list is none.
    """
    file = _list_of(folder, name)
    if not file.exists():
        return {}
    found = read_json(file)
    if not isinstance(found, dict) or not all(map(_are_files, found.values())):
        raise ValueError(f"{file} must list the files of tables")
    return found


def _are_files(names: Any) -> bool:
    """Whether these are one or three files of a folder."""
    return (
        isinstance(names, list)
        and len(names) in (1, 3)
        and all(isinstance(n, str) and n == pathlib.Path(n).name for n in names)
    )


def _list_of(folder: pathlib.Path, name: str) -> pathlib.Path:
    return folder / f"{name}{_TABLES}"


def _is_large(leaf: Any) -> bool:
    return (
        isinstance(leaf, tf.Variable)
        and leaf.shape.rank > 0
        and (leaf.dtype.is_floating or leaf.dtype.is_integer)
        and table_files.bytes_of(leaf) >= _LARGE
    )


def _leaves(part: Any) -> dict[str, Any]:
    """What a checkpoint of TensorFlow keeps, by the shortest path to it."""
    found, known = {}, {id(part)}
    waiting = collections.deque([("", part)])
    while waiting:
        path, one = waiting.popleft()
        inner = tf.train.TrackableView.children(one)
        if not inner and not isinstance(one, list | dict):
            found[path] = one
        for name, child in inner.items():
            if id(child) not in known:
                known.add(id(child))
                # A name is any text; the parts of a path stay apart.
                quoted = urllib.parse.quote(name, safe="")
                waiting.append((f"{path}/{quoted}", child))
    return found
