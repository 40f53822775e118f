"""What users are told apart by where no list of them is kept."""

import numpy as np
import pyarrow as pa

from tfadrec.data.features.fingerprints import fingerprints

_MOST = np.uint64(2**63 - 1)


def user_keys(ids: np.ndarray) -> np.ndarray:
    """The keys of users by their rows, as `ops.hashing.key_of` gives them.

    Args:
      ids: [U], strings or int64.

    Returns:
      int64 [U + 1], 0 in row 0.
    """
    if ids.dtype.kind == "i":
        keys = ids + 1
    else:
        keys = 1 + (fingerprints(pa.array(ids)) % _MOST).astype(np.int64)
    return np.concatenate([np.zeros(1, np.int64), keys])
