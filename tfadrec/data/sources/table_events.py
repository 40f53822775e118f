"""The events of a table source."""

import functools
from collections.abc import Iterable

import pyarrow as pa

from tfadrec.data.columns import as_codes
from tfadrec.data.intake import checks
from tfadrec.data.intake.feature_parser import FeatureParser
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.checked import Checked
from tfadrec.data.sources.log_job import LogJob
from tfadrec.data.sources.log_reader import LogReader
from tfadrec.data.sources.table_rows import log_columns, repeated
from tfadrec.data.sources.table_spec import TableConfig, TableSpec


def events_job(
    spec: TableSpec, settings: TableConfig, catalogue: pa.Array
) -> LogJob:
    """The reading of the events.

    Args:
      spec: the section of the events.
      settings: the table source.
      catalogue: [N] ad ids; rows on others are refused.
    """
    check = functools.partial(_check, spec, settings, catalogue)
    return LogJob(spec, "events", check)


def read_events(
    spec: TableSpec,
    batches: Iterable[Checked],
    ledger: Ledger,
    workspace: Workspace,
) -> SpilledTable:
    """The events.

    Args:
      spec: the section of the events.
      batches: as from the job.
      ledger: where all rows are booked.
      workspace: where rows go that are many.

    Raises:
      InputError: where the file cannot be used.
    """
    reader = LogReader(spec, "events", workspace)
    for checked in batches:
        reader.add(checked)
        reader.keep(checked.table)
    return reader.close(ledger)


def _check(
    spec: TableSpec, settings: TableConfig, catalogue: pa.Array, rows: RawRows
) -> Checked:
    kind = spec.columns["event_type"]
    columns = log_columns(rows, spec, settings, catalogue)
    if kind.constant is not None:
        types = as_codes(repeated(kind.constant, rows))
    else:
        types = checks.coded_ids(rows, kind.column, "string")
    features = FeatureParser(spec.features)
    columns = {
        "user_id": columns["user_id"],
        "ad_id": columns["ad_id"],
        "event_type": types,
        "timestamp": columns["timestamp"],
        **features.parse(rows),
    }
    return Checked.of(rows, columns, features)
