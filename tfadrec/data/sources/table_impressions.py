"""The impressions of a table source, with labels, weights and histories."""

import collections
import functools
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.intake import checks
from tfadrec.data.intake.feature_parser import FeatureParser
from tfadrec.data.intake.id_hashes import draws_of
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.checked import Checked
from tfadrec.data.sources.history_reader import (
    HistoryReader,
    check_histories,
)
from tfadrec.data.sources.log_job import LogJob
from tfadrec.data.sources.log_reader import LogReader
from tfadrec.data.sources.table_rows import log_columns
from tfadrec.data.sources.table_spec import (
    ColumnSpec,
    LabelSpec,
    TableConfig,
    TableSpec,
)


def impressions_job(settings: TableConfig, catalogue: pa.Array) -> LogJob:
    """The reading of the impressions.

    Args:
      settings: the table source.
      catalogue: [N] ad ids; rows on others are refused.
    """
    check = functools.partial(_check, settings, catalogue)
    return LogJob(settings.impressions, "impressions", check)


def read_impressions(
    settings: TableConfig,
    batches: Iterable[Checked],
    ledger: Ledger,
    workspace: Workspace,
) -> tuple[SpilledTable, SpilledTable | None]:
    """The impressions, and the histories where they come along.

    Args:
      settings: the table source.
      batches: as from the job.
      ledger: where all rows are booked.
      workspace: where rows go that are many.

    Raises:
      InputError: where the file cannot be used.
    """
    spec = settings.impressions
    named = spec.columns
    reader = LogReader(spec, "impressions", workspace)
    rng = np.random.default_rng(0)
    counts: collections.Counter[str] = collections.Counter()
    histories = None
    if "history" in named:
        histories = HistoryReader(settings, workspace)
    has_weight = "weight" not in named
    for checked in batches:
        reader.add(checked)
        table = checked.table
        if _is_drawn_by_row(spec):
            draws = rng.random(checked.rows)[array_of(table, "split")]
            table = _replaced(table, "split", _drawn(named["split"], draws))
        if histories is not None and checked.entries is not None:
            assert checked.histories is not None
            first = histories.add(checked.histories, checked.entries)
            numbers = pa.array(array_of(table, "history") + first)
            table = _replaced(table, "history", numbers)
        if not has_weight:
            has_weight = bool(pc.any(pc.greater(table["weight"], 0)).as_py())
        counts.update(checked.counts)
        reader.keep(table)
    found = None if histories is None else histories.close(ledger)
    impressions = reader.close(ledger)
    if not has_weight:
        raise InputError(
            f"the weights of {spec.file} must not all be 0. Received: "
            f"{len(impressions)} rows of weight 0. Check the column "
            f"{named['weight'].column!r}."
        )
    if spec.counts:
        _note_counts(spec, counts, ledger)
    return impressions, found


def _check(
    settings: TableConfig, catalogue: pa.Array, rows: RawRows
) -> Checked:
    """The impressions of a batch, with all that it tells alone."""
    spec = settings.impressions
    columns = _columns(rows, settings, catalogue)
    places = {}
    if "position" in spec.columns:
        # 1, 01 and 1.0 are one place.
        place = checks.positions(rows, spec.columns["position"].column)
        places = {"candidate.position": place.cast(pa.string())}
    features = FeatureParser(spec.features)
    columns |= features.parse(rows) | places
    histories = entries = None
    if "history" in spec.columns:
        histories, entries = check_histories(rows, settings, catalogue)
    checked = Checked.of(rows, columns, features)
    if histories is not None:
        # Their numbers in this batch.
        numbers = pa.array(np.arange(len(histories)))
        checked.table = checked.table.append_column("history", numbers)
        checked.histories, checked.entries = histories, entries
    if spec.counts:
        checked.table, checked.counts = _weighted(checked.table)
    return checked


def _columns(
    rows: RawRows, settings: TableConfig, catalogue: pa.Array
) -> dict[str, pa.Array]:
    """The columns of a batch but for its features, after all checks of rows."""
    spec = settings.impressions
    named = spec.columns
    columns = log_columns(rows, spec, settings, catalogue)
    if "request_id" in named:
        request = checks.coded_ids(rows, named["request_id"].column, "string")
        columns = {"request_id": request, **columns}
    for name, label in spec.labels.items():
        columns[name] = _label(rows, label)
    if "weight" in named:
        columns["weight"] = checks.weights(rows, named["weight"].column)
    if _is_drawn_by_row(spec):
        # Draws go on from batch to batch, so these are the rows' numbers.
        columns["split"] = pa.array(np.arange(len(rows)))
    elif "split" in named:
        columns["split"] = _splits(rows, named["split"], columns)
    if spec.counts:
        columns |= _counts(rows, spec)
    return columns


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _label(rows: RawRows, label: LabelSpec) -> pa.Array:
    """A label of each row, as it is written or as its conditions say."""
    if label.type == "real":
        return checks.numbers(rows, label.column)
    if label.positive is None or label.negative is None:
        return checks.labels(rows, label.column)
    return checks.told_labels(rows, label.positive, label.negative)


def _is_drawn_by_row(spec: TableSpec) -> bool:
    """Whether a split is drawn, and not for each request as a whole."""
    split = spec.columns.get("split")
    is_drawn = split is not None and split.shares is not None
    return is_drawn and "request_id" not in spec.columns


def _splits(
    rows: RawRows, spec: ColumnSpec, columns: Mapping[str, pa.Array]
) -> pa.Array:
    """The split of each row, read off a column or drawn by its request's id."""
    if spec.shares is None:
        return checks.splits(rows, spec.column)
    requests = columns["request_id"]
    draws = draws_of(requests.dictionary)[requests.indices.to_numpy()]
    return _drawn(spec, draws)


def _drawn(spec: ColumnSpec, draws: np.ndarray) -> pa.Array:
    """The splits that numbers in [0, 1) stand for."""
    assert spec.shares is not None
    valid, test = spec.shares
    names = np.array(["train", "valid", "test"])
    drawn = np.searchsorted([1 - valid - test, 1 - test], draws, side="right")
    return pa.array(names[drawn], pa.string())


def _counts(rows: RawRows, spec: TableSpec) -> dict[str, pa.Array]:
    """How often each row was shown, and how often clicked."""
    shown_in, clicked_in = spec.counts["impressions"], spec.counts["clicks"]
    shown = checks.weights(rows, shown_in)
    clicks = checks.weights(rows, clicked_in)
    more = clicks.to_numpy() > shown.to_numpy()
    rows.refuse(more, f"{clicked_in} is more than {shown_in}")
    return {"impressions": shown, "clicks": clicks}


def _weighted(table: pa.Table) -> tuple[pa.Table, dict[str, float]]:
    """Rows with labels and weights, out of rows with counts, and their sums.

    A row that was shown n times and clicked c times becomes one row with a
    click and the weight c, and one without and the weight n - c. Rows with the
    weight 0 are left out.
    """
    shown = table["impressions"].to_numpy()
    clicks = table["clicks"].to_numpy()
    weights = np.stack([clicks, shown - clicks], axis=1).ravel()
    rows = np.flatnonzero(weights > 0)
    sums = {
        "read": len(table),
        "made": len(rows),
        "never": int((shown == 0).sum()),
        "shown": float(shown.sum()),
        "clicks": float(clicks.sum()),
    }
    table = table.drop_columns(["impressions", "clicks"])
    table = table.take(pa.array(rows // 2))
    clicked = pa.array((rows % 2 == 0).astype(np.int8))
    place = table.column_names.index("timestamp") + 1
    table = table.add_column(place, "clicked", clicked)
    weight = pa.array(weights[rows])
    return table.add_column(place + 1, "weight", weight), sums


def _note_counts(
    spec: TableSpec, sums: Mapping[str, float], ledger: Ledger
) -> None:
    """Tells what became of the counts.

    Raises:
      InputError: where nothing was shown.
    """
    if not sums["made"]:
        raise InputError(
            f"the counts of {spec.file} must hold impressions. Received: "
            f"{sums['read']} rows, all shown 0 times. Check the column "
            f"{spec.counts['impressions']!r}."
        )
    ledger.note(
        f"{spec.file}: {sums['read']:,} rows of counts, "
        f"{sums['shown']:,.15g} impressions and {sums['clicks']:,.15g} "
        f"clicks, become {sums['made']:,} rows with weights; "
        f"{sums['never']:,} were never shown"
    )
