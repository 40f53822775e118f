"""Ids of ads that a user names, one by one or in a file."""

import os
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

from tfadrec.core.errors import InputError


def read_ad_ids(given: str | pathlib.Path) -> list[str | int]:
    """An id, or those of a file.

    Args:
      given: a file that is there: Parquet with a column `ad_id`, or UTF-8 text
        with an id a line, of which blank lines are passed over. Anything else
        is an id.

    Returns:
      The ids, as the file has them: text, or integers of a Parquet file. Whole
      numbers that are written as fractions, as pandas does beside nulls, are
      integers.

    Raises:
      InputError: where the file cannot be read.
    """
    if not os.path.isfile(given):  # which takes an id of any length
        return [str(given)]
    path = pathlib.Path(given)
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        if is_parquet:
            ids = pq.read_table(path, columns=["ad_id"])["ad_id"]
            if pa.types.is_floating(ids.type):
                ids = ids.cast(pa.int64())
            elif not pa.types.is_integer(ids.type):
                ids = ids.cast(pa.string())
            return [i for i in ids.to_pylist() if i is not None]
        # An id may hold what Unicode takes for the end of a line, too.
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(
            "ids of ads are a Parquet file with a column ad_id, or a text "
            f"with one a line. Received: {' '.join(str(error).split())} in "
            f"{given}."
        ) from error
    # Blanks around a text belong to the id, as they do in a log.
    return [line.removesuffix("\r") for line in lines if line.strip()]
