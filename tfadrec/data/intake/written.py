"""What is found of impressions while they are written."""

import collections
import dataclasses


@dataclasses.dataclass
class Written:
    """Counts of a log.

    Args:
      requests: their number.
      repeated: the rows that are as an earlier one, see `repeated_rows`.
      other_contexts: by the names of features of the context, how many rows
        have another value than the first of their request.
    """

    requests: int = 0
    repeated: int = 0
    other_contexts: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
