"""The reading of one log, which can be done by pieces anywhere."""

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from tfadrec.data.intake import limits
from tfadrec.data.intake.ahead import ahead
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.read_table import Piece
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.checked import Checked
from tfadrec.data.sources.table_rows import pieces_of, read_batches
from tfadrec.data.sources.table_spec import TableSpec

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class LogJob:
    """A log, and how each batch of its rows is checked.

    Another process may do it, so it can be pickled.

    Args:
      spec: the file.
      unit: what one row is, in the plural.
      check: does all that looks at one batch alone.
      whole: whether all rows are to come together.
      batch_rows: rows that are checked together.
      text_bytes: text that is read together.
    """

    spec: TableSpec
    unit: str
    check: Callable[[RawRows], Checked]
    whole: bool = False
    batch_rows: int = dataclasses.field(
        default_factory=lambda: limits.BATCH_ROWS
    )
    text_bytes: int = dataclasses.field(
        default_factory=lambda: limits.TEXT_BYTES
    )

    def pieces(self) -> Iterator[Piece | None]:
        """The pieces of the log, in order; None for one that is all of it."""
        if self.whole:
            return iter([None])
        return pieces_of(
            self.spec, self.unit, rows=self.batch_rows, room=self.text_bytes
        )

    def do(self, piece: Piece | None = None) -> Iterator[Checked]:
        """The batches of a piece, or of the log, after all checks.

        Raises:
          InputError: where the file, or a column, cannot be read.
        """
        size = None if self.whole else self.batch_rows
        for rows in read_batches(self.spec, self.unit, size=size, piece=piece):
            yield self.check(rows)


#: Reads logs: for each job its batches, in order.
Reading = Callable[[Sequence[LogJob], Workspace], list[Iterator[Checked]]]


def read_here(
    jobs: Sequence[LogJob], workspace: Workspace
) -> list[Iterator[Checked]]:
    """Reads logs in this process, a batch ahead of what is asked for."""
    del workspace  # Nothing is made on the way.
    return [_with_progress(job) for job in jobs]


def _with_progress(job: LogJob) -> Iterator[Checked]:
    begun, read = time.monotonic(), 0
    for checked in ahead(job.do()):
        read += checked.rows + checked.settlement.left_out
        speed = read / max(time.monotonic() - begun, 1e-3)
        _LOG.info(
            "Reading %s: %s rows, %s rows/s",
            job.spec.file,
            f"{read:,}",
            f"{speed:,.0f}",
        )
        yield checked
