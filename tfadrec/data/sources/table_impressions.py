"""The impressions of a table source, with labels, weights and histories."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.intake import checks
from tfadrec.data.intake.feature_columns import parse_features
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.sources.table_histories import read_histories
from tfadrec.data.sources.table_rows import log_columns, read_rows, settled
from tfadrec.data.sources.table_spec import (
    ColumnSpec,
    LabelSpec,
    TableConfig,
    TableSpec,
)


def read_impressions(
    settings: TableConfig, catalogue: pa.Array, ledger: Ledger
) -> tuple[pa.Table, pa.Table | None]:
    """The impressions, and the histories where they come along.

    Raises:
      InputError: where the file cannot be used.
    """
    spec = settings.impressions
    named = spec.columns
    rows = read_rows(spec, "impressions")
    columns = log_columns(rows, spec, settings, catalogue)
    if "request_id" in named:
        request = checks.ids(rows, named["request_id"].column, "string")
    else:
        request = pc.binary_join_element_wise(
            columns["user_id"].cast(pa.string()),
            columns["timestamp"].cast(pa.string()),
            "-",
        )
    columns = {"request_id": request, **columns}
    for name, label in spec.labels.items():
        columns[name] = _label(rows, name, label)
    if "weight" in named:
        columns["weight"] = checks.weights(rows, named["weight"].column)
    if "split" in named:
        by = request if "request_id" in named else None
        columns["split"] = _splits(rows, named["split"], by)
    if spec.counts:
        columns |= _counts(rows, spec)
    places = {}
    if "position" in named:
        # 1, 01 and 1.0 are one place.
        place = checks.positions(rows, named["position"].column)
        places = {"candidate.position": place.cast(pa.string())}
    columns |= parse_features(rows, spec.features, ledger) | places
    histories = None
    if "history" in named:
        histories = read_histories(rows, settings, catalogue, ledger)
    table = pa.table(columns).filter(settled(rows, spec, "impressions", ledger))
    if "weight" in named and not pc.any(pc.greater(table["weight"], 0)).as_py():
        raise InputError(
            f"the weights of {spec.file} must not all be 0. Received: "
            f"{len(table)} rows of weight 0. Check the column "
            f"{named['weight'].column!r}."
        )
    if histories is not None:
        table = table.append_column("history", pa.array(np.arange(len(table))))
    if spec.counts:
        table = _weighted(table, spec, ledger)
    return table, histories


def _label(rows: RawRows, name: str, label: LabelSpec) -> pa.Array:
    """A label of each row, as it is written or as its conditions say."""
    if label.type == "real":
        return checks.numbers(rows, label.column)
    if label.positive is None or label.negative is None:
        return checks.labels(rows, label.column)
    told = checks.told_labels(rows, label.positive, label.negative)
    kept = told.to_numpy()[rows.kept]
    if len(kept) and kept.all() == kept.any():
        rows.notes += (
            f"{rows.source}: {name} is {kept[0]:d} in all rows; check the "
            f"conditions on {label.column}",
        )
    return told


def _splits(
    rows: RawRows, spec: ColumnSpec, requests: pa.Array | None
) -> pa.Array:
    """The split of each row, read off a column or drawn.

    A split is drawn for each request as a whole where requests are given.
    """
    if spec.shares is None:
        return checks.splits(rows, spec.column)
    valid, test = spec.shares
    places = np.arange(len(rows))
    if requests is not None:
        places = requests.dictionary_encode().indices.to_numpy()
    draws = np.random.default_rng(0).random(len(rows))[places]
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


def _weighted(table: pa.Table, spec: TableSpec, ledger: Ledger) -> pa.Table:
    """Rows with labels and weights, out of rows with counts.

    A row that was shown n times and clicked c times becomes one row with a
    click and the weight c, and one without and the weight n - c. Rows with the
    weight 0 are left out.
    """
    shown = table["impressions"].to_numpy()
    clicks = table["clicks"].to_numpy()
    weights = np.stack([clicks, shown - clicks], axis=1).ravel()
    rows = np.flatnonzero(weights > 0)
    if not len(rows):
        raise InputError(
            f"the counts of {spec.file} must hold impressions. Received: "
            f"{len(table)} rows, all shown 0 times. Check the column "
            f"{spec.counts['impressions']!r}."
        )
    never = int((shown == 0).sum())
    ledger.note(
        f"{spec.file}: {len(table):,} rows of counts, {shown.sum():,.15g} "
        f"impressions and {clicks.sum():,.15g} clicks, become {len(rows):,} "
        f"rows with weights; {never:,} were never shown"
    )
    table = table.drop_columns(["impressions", "clicks"])
    table = table.take(pa.array(rows // 2))
    clicked = pa.array((rows % 2 == 0).astype(np.int8))
    place = table.column_names.index("timestamp") + 1
    table = table.add_column(place, "clicked", clicked)
    return table.add_column(place + 1, "weight", pa.array(weights[rows]))
