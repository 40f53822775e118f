"""Reading the histories that come with the impressions, batch by batch."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import as_lists, filter_lists, list_parents
from tfadrec.data.intake import checks
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.settlement import Settlement
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.table_spec import ColumnSpec, TableConfig

_UNIT = "history entries"


def check_histories(
    rows: RawRows, settings: TableConfig, catalogue: pa.Array
) -> tuple[pa.Table, Settlement]:
    """The histories of a batch, without the ads that are unknown.

    Rows whose lists of ads and of types differ in length are refused; so this
    comes after all other checks, and before the rows are settled.

    Args:
      rows: the impressions.
      settings: the table source, whose impressions have a history.
      catalogue: [N] ad ids.

    Returns:
      `ads`, and `types` where they are told, one row for each row that is
      kept; and what became of the entries.

    Raises:
      InputError: where a column cannot be read as lists.
    """
    spec = settings.impressions.columns["history"]
    lists, types = _lists(rows, spec)
    kept_rows = pa.array(rows.kept)
    lists = lists.filter(kept_rows)
    parents = np.flatnonzero(rows.kept)[list_parents(lists)]
    columns = {"entry": lists.flatten()}
    if types is not None:
        columns["type"] = types.filter(kept_rows).flatten()
    entries = RawRows(
        rows.source, _UNIT, pa.table(columns), rows.lines[parents]
    )
    if spec.type_separator:
        columns |= _parts(columns["entry"], spec.type_separator)
        shown = entries.table.append_column("ad", columns["ad"])
        entries.table = shown.append_column("type", columns["type"])
    ad = "ad" if spec.type_separator else "entry"
    ad_ids = checks.ids(entries, ad, settings.ad_id_type)
    checks.known_ads(entries, ad_ids, catalogue)
    if "type" in columns:
        checks.ids(entries, "type", "string")
    entries.table = entries.table.select(["entry"])
    settlement = Settlement(rows.source, _UNIT)
    kept = settlement.add(entries)
    found = {"ads": filter_lists(lists, kept, ad_ids)}
    if "type" in columns:
        found["types"] = filter_lists(lists, kept, columns["type"])
    return pa.table(found), settlement


class HistoryReader:
    """Puts the histories that come with impressions together.

    Args:
      settings: the table source, whose impressions have a history.
      workspace: where histories go that are many.
    """

    def __init__(self, settings: TableConfig, workspace: Workspace) -> None:
        self._spec = settings.impressions.columns["history"]
        self._settlement = Settlement(settings.impressions.file, _UNIT)
        self._found = SpilledTable(workspace)

    def add(self, found: pa.Table, entries: Settlement) -> int:
        """Adds the histories of the next batch, see `check_histories`.

        Returns:
          The number of the first one of them.
        """
        before = len(self._found)
        self._settlement.merge(entries)
        self._found.append(found)
        return before

    def close(self, ledger: Ledger) -> SpilledTable:
        """Books all entries, and gives the histories.

        Raises:
          InputError: where too many entries are refused.
        """
        self._settlement.close(
            ledger,
            needed=False,
            max_rejected=self._spec.max_rejected,
            allow="impressions.history.max_rejected",
        )
        return self._found


def _lists(rows: RawRows, spec: ColumnSpec) -> tuple[pa.Array, pa.Array | None]:
    """Lists of entries and, where they have a column of their own, of types."""
    if not spec.types:
        return checks.lists(rows, spec.column, spec.separator), None
    ads, types = (
        as_lists(rows[name], spec.separator, keep_empty=True)
        for name in (spec.column, spec.types)
    )
    lengths = (pc.list_value_length(column) for column in (ads, types))
    uneven = pc.not_equal(*lengths).to_numpy(zero_copy_only=False)
    rows.refuse(
        uneven, f"{spec.types} has another number of entries than {spec.column}"
    )
    return ads, types


def _parts(entries: pa.Array, separator: str) -> dict[str, pa.Array]:
    """The ads and the types of entries such as `a1:click`."""
    parts = pc.split_pattern(entries, separator, max_splits=1, reverse=True)
    typed = pc.equal(pc.list_value_length(parts), 2)
    whole = pc.if_else(typed, parts, pa.scalar(["", ""], parts.type))
    types = pc.list_element(whole, 1) if len(entries) else entries
    ads = pc.list_element(whole, 0) if len(entries) else entries
    return {"ad": pc.if_else(typed, ads, entries), "type": types}
