"""From when on ads are not to be found, as a column of theirs tells it."""

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest
from tfadrec.data.intake.times import read_ends

#: The column that `prepare` writes.
EXPIRES = "expires_seconds"
#: The moment of an ad that does not expire.
_NEVER = np.iinfo(np.int64).max


def expiry_times(ads: pa.Table, column: str, where: str) -> np.ndarray:
    """The seconds since 1970 of a column of times.

    Args:
      ads: a table of ads.
      column: of seconds since 1970, ISO 8601 text or Arrow times, in UTC where
        none is stated; null where an ad does not expire.
      where: the file, for messages.

    Returns:
      int64 [n]; the largest number where there is no time.

    Raises:
      InputError: where there is no such column, or a time cannot be read.
    """
    if column not in ads.column_names:
        # The log's own name of the column is not kept.
        told = (
            f" What `prepare` read as `expires` is {EXPIRES!r}."
            if EXPIRES in ads.column_names
            else nearest([column], ads.column_names)
        )
        raise InputError(
            "the time at which ads expire is a column of theirs. Received: "
            f"{column!r}, which {where} does not have."
            f"{told} Where an ad never expires its value is null."
        )
    seconds, broken = read_ends(ads[column], None, None, f"{column} of {where}")
    if broken.any():
        raise InputError(
            "the time at which an ad expires must be readable. Received: "
            f"{int(broken.sum())} in {column!r} of {where} that are not. Write "
            "seconds from 1970 to 9999, or times of ISO 8601; null is never."
        )
    return seconds.fill_null(_NEVER).to_numpy()
