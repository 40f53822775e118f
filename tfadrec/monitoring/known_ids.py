"""The ids that a bundle knows, without the ids."""

import dataclasses
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTES = 8


@dataclasses.dataclass(frozen=True)
class KnownIds:
    """Digests of ids, of which 8 bytes each are kept.

    Of a million known ids, an unknown one is taken for known once in 10^13.

    Args:
      digests: uint64, in rising order.
    """

    digests: NDArray[np.uint64]

    @classmethod
    def of(cls, ids: Iterable[Any]) -> "KnownIds":
        """Those of some ids, texts or integers."""
        return cls(np.unique(_digests(ids)))

    def more(self, ids: Iterable[Any]) -> "KnownIds":
        """These and others."""
        return KnownIds(np.union1d(self.digests, _digests(ids)))

    def has(self, ids: Iterable[Any]) -> NDArray[np.bool_]:
        """Which of some ids, [n], are known, bool [n]."""
        asked = list(ids)
        distinct = list(set(map(str, asked)))
        known = np.isin(_digests(distinct), self.digests)
        of = dict(zip(distinct, known.tolist(), strict=True))
        return np.array([of[str(each)] for each in asked], bool)


def _digests(ids: Iterable[Any]) -> NDArray[np.uint64]:
    raw = b"".join(
        hashlib.blake2b(
            str(each).encode("utf-8", "surrogatepass"), digest_size=_BYTES
        ).digest()
        for each in ids
    )
    return np.frombuffer(raw, "<u8")
