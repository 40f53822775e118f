"""The ads and the users of a table source."""

import functools
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.schema import NO_AD, IdType
from tfadrec.data.columns import as_mask, filter_lists
from tfadrec.data.intake import checks
from tfadrec.data.intake.feature_parser import FeatureParser
from tfadrec.data.intake.first_values import FirstValues
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.checked import Checked
from tfadrec.data.sources.expiry_times import EXPIRES
from tfadrec.data.sources.log_job import LogJob
from tfadrec.data.sources.log_reader import LogReader
from tfadrec.data.sources.table_rows import repeated
from tfadrec.data.sources.table_spec import TableConfig, TableSpec


def ads_job(settings: TableConfig) -> LogJob:
    """The reading of the ads."""
    return _job(settings.ads, "ad", _ad_columns, settings.ad_id_type)


def users_job(spec: TableSpec, settings: TableConfig) -> LogJob:
    """The reading of the users, whose section is `spec`."""
    return _job(spec, "user", _user_columns, settings.user_id_type)


def one_row_each(
    spec: TableSpec,
    what: str,
    batches: Iterable[Checked],
    ledger: Ledger,
    workspace: Workspace,
) -> pa.Table:
    """One row for each ad or user, with its features.

    Args:
      spec: the section of the ads or users.
      what: `ad` or `user`.
      batches: as from the job.
      ledger: where all rows are booked.
      workspace: where rows go that are many.

    Raises:
      InputError: where the file cannot be used.
    """
    reader = LogReader(spec, f"{what}s", workspace, unit=_unit(spec, what))
    firsts = FirstValues(f"{what}_id")
    for checked in batches:
        reader.add(checked)
        if checked.firsts is None:
            reader.keep(checked.table)
        else:
            firsts.merge(checked.firsts)
    number = reader.kept
    kept = reader.close(ledger)
    if not spec.deduplicate:
        return kept.table()
    found = firsts.table()
    told = ", ".join(f"{n} of {count}" for n, count in firsts.apart().items())
    ledger.note(
        f"{spec.file}: {number:,} {what} rows describe {len(found):,} "
        f"{what}s; the first value of each column is used"
        f"{f' (rows disagree on {told})' if told else ''}"
    )
    return found


def _unit(spec: TableSpec, what: str) -> str:
    return f"{what} rows" if spec.deduplicate else f"{what}s"


def _job(
    spec: TableSpec,
    what: str,
    columns: Callable[[RawRows, TableSpec, IdType], dict[str, pa.Array]],
    id_type: IdType,
) -> LogJob:
    check = functools.partial(_check, spec, what, columns, id_type)
    # Whether an id repeats an earlier one is told by all rows together.
    whole = not spec.deduplicate
    return LogJob(spec, _unit(spec, what), check, whole)


def _check(
    spec: TableSpec,
    what: str,
    columns_of: Callable[[RawRows, TableSpec, IdType], dict[str, pa.Array]],
    id_type: IdType,
    rows: RawRows,
) -> Checked:
    key = f"{what}_id"
    columns = columns_of(rows, spec, id_type)
    if not spec.deduplicate:
        checks.first_of_each(rows, columns[key], what)
    features = FeatureParser(spec.features)
    columns |= features.parse(rows)
    checked = Checked.of(rows, columns, features)
    if spec.deduplicate:
        checked.firsts = FirstValues.of(checked.table, key)
        checked.table = checked.table.slice(0, 0)
    return checked


def _ad_columns(
    rows: RawRows, spec: TableSpec, id_type: IdType
) -> dict[str, pa.Array]:
    named = spec.columns
    key = named["ad_id"].column
    ad_ids = checks.ids(rows, key, id_type)
    nobody = NO_AD[id_type]
    rows.refuse(
        as_mask(pc.equal(ad_ids, nobody)),
        f"{key} is {nobody}, which stands for no ad",
    )
    nothing = repeated("", rows)
    title, description = (
        checks.texts(rows, named[n].column) if n in named else nothing
        for n in ("title", "description")
    )
    if "tags" in named:
        tag = named["tags"]
        tags = checks.lists(rows, tag.column, tag.separator)
    else:
        tags = pc.split_pattern(nothing, " ")
        tags = filter_lists(tags, np.zeros(len(rows), bool))
    columns = {
        "ad_id": ad_ids,
        "title": title,
        "description": description,
        "tags": tags,
    }
    if "expires" in named:
        end = named["expires"]
        columns[EXPIRES] = checks.ends(
            rows, end.column, end.format, end.timezone, end.unit
        )
    return columns


def _user_columns(
    rows: RawRows, spec: TableSpec, id_type: IdType
) -> dict[str, pa.Array]:
    return {
        "user_id": checks.ids(rows, spec.columns["user_id"].column, id_type)
    }
