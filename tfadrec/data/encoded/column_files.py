"""The arrays of a dataset in its folder: a file each, to be mapped."""

import contextlib
import pathlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.encoded.column_writer import ColumnWriter, is_gathered
from tfadrec.data.encoded.encoded import Encoded, events_of, impressions_of
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions

#: Another encoding would have a folder of another name, so that versions
#: which do not know it read the tables.
_FOLDER = "columns"
_USER_IDS = f"{_FOLDER}/user_ids"
#: Tables that the arrays were made of.
_SOURCES = ("events", "impressions", "users", "histories")


@contextlib.contextmanager
def writing(folder: pathlib.Path) -> Iterator[ColumnWriter]:
    """A writer of the arrays of a dataset's folder, by their names.

    Raises:
      OSError: where they cannot be written.
    """
    (folder / _FOLDER).mkdir(exist_ok=True)
    with ColumnWriter(folder / _FOLDER) as writer:
        yield writer


def save_user_ids(user_ids: pa.Array, folder: pathlib.Path) -> None:
    """Writes the ids of users, beside the arrays."""
    (folder / _FOLDER).mkdir(exist_ok=True)
    ids = pa.table({"user_id": user_ids})
    pq.write_table(ids, folder / f"{_USER_IDS}.parquet")


def saved_user_ids(files: DatasetFiles) -> np.ndarray | None:
    """The ids of a folder's users, [U]; None where it has no file of them.

    Raises:
      InputError: where the file is not what was written.
    """
    if f"{_USER_IDS}.parquet" not in files.listed:
        return None
    return files.table(_USER_IDS)["user_id"].to_numpy()


def saved_logs(
    folder: pathlib.Path, schema: Schema
) -> tuple[EventLog, Impressions]:
    """Events and impressions whose arrays were written to a folder."""
    arrays = {
        path.stem: _without_spare(path.stem, np.load(path, mmap_mode="r"))
        for part in ("events", "impressions")
        for path in (folder / _FOLDER).glob(f"{part}.*.npy")
    }
    return events_of(arrays), impressions_of(arrays, schema.labels)


def _without_spare(name: str, array: np.ndarray) -> np.ndarray:
    return array[:-1] if is_gathered(name) else array


def load(files: DatasetFiles, schema: Schema) -> Encoded | None:
    """The arrays of a dataset's folder.

    They are mapped, and take memory only where they are read; the ids of users
    lie in memory. The tables that they were made of are compared with the
    manifest as well.

    Args:
      files: the folder.
      schema: the feature spec.

    Returns:
      The arrays; None for a folder without them, or without a manifest, whose
      tables may be others now.

    Raises:
      InputError: where a file is not what was written.
    """
    users = saved_user_ids(files)
    if users is None:
        return None
    for table in _SOURCES:
        if f"{table}.parquet" in files.listed:
            files.check(f"{table}.parquet")
    arrays = {}
    for file in files.listed:
        path = pathlib.PurePosixPath(file)
        if path.parent.name == _FOLDER and path.suffix == ".npy":
            arrays[path.stem] = _without_spare(path.stem, files.array(file))
    try:
        encoded = Encoded.from_arrays(users, arrays, schema.labels)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"a dataset's {_FOLDER} must be all that models read. Received: "
            f"a folder without {error}. Write it again with `tfadrec prepare`."
        ) from error
    _check_lengths(arrays)
    return encoded


def _check_lengths(arrays: dict[str, np.ndarray]) -> None:
    """Refuses arrays of impressions, or of events, of different lengths."""
    for part in ("events", "impressions"):
        sizes = {
            len(array)
            for name, array in arrays.items()
            if name.startswith(f"{part}.")
        }
        if len(sizes) != 1:
            raise InputError(
                f"the {part} of a dataset must have one length. Received: "
                f"{', '.join(map(str, sorted(sizes)))} in its {_FOLDER}. Write "
                "it again with `tfadrec prepare`."
            )
