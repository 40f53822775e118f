"""The logs of a dataset that is being prepared."""

import dataclasses

import pyarrow as pa

from tfadrec.data.intake.spilled_table import SpilledTable


@dataclasses.dataclass(frozen=True)
class Logs:
    """The tables of a dataset that may be larger than memory.

    Args:
      impressions: see `write_dataset`.
      requests: of the impressions, see `request_rows`.
      events: see `write_dataset`; without rows where there is no event log.
      users: the ids of all users, sorted, by which those of both are coded.
      histories: see `write_dataset`; None where none came with impressions.
    """

    impressions: SpilledTable
    requests: SpilledTable
    events: SpilledTable
    users: pa.Array
    histories: SpilledTable | None = None
