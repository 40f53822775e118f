"""Ids of ads that a user names, one by one or in a file."""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

from tfadrec.core.errors import InputError


def read_ad_ids(given: str | pathlib.Path) -> list[str | int]:
    """An id, or those of a file.

    Args:
      given: a file that is there: Parquet with a column `ad_id`, or UTF-8 text
        with an id a line, of which empty lines are passed over. Anything else
        is an id.

    Returns:
      The ids, as the file has them: text, or integers of a Parquet file.

    Raises:
      InputError: where the file cannot be read.
    """
    path = pathlib.Path(given)
    if not path.is_file():
        return [str(given)]
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        if is_parquet:
            ids = pq.read_table(path, columns=["ad_id"])["ad_id"]
            return [i for i in ids.to_pylist() if i is not None]
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(
            "ids of ads are a Parquet file with a column ad_id, or a text "
            f"with one a line. Received: {' '.join(str(error).split())} in "
            f"{given}."
        ) from error
    return [line.strip() for line in lines if line.strip()]
