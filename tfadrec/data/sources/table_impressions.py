"""The impressions of a table source, with labels, weights and histories."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.intake import checks
from tfadrec.data.intake.id_hashes import draws_of
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.times import YEAR_10000
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.history_reader import HistoryReader
from tfadrec.data.sources.log_reader import LogReader
from tfadrec.data.sources.table_rows import log_columns
from tfadrec.data.sources.table_spec import (
    ColumnSpec,
    LabelSpec,
    TableConfig,
    TableSpec,
)


def read_impressions(
    settings: TableConfig,
    catalogue: pa.Array,
    ledger: Ledger,
    workspace: Workspace,
) -> tuple[SpilledTable, SpilledTable | None]:
    """The impressions, and the histories where they come along.

    Raises:
      InputError: where the file cannot be used.
    """
    spec = settings.impressions
    named = spec.columns
    reader = LogReader(spec, "impressions", workspace)
    rng = np.random.default_rng(0)
    counts = _Counts(spec)
    histories = None
    if "history" in named:
        histories = HistoryReader(settings, catalogue, workspace)
    has_weight = "weight" not in named
    for rows in reader.batches():
        columns = _columns(rows, settings, catalogue, rng)
        places = {}
        if "position" in named:
            # 1, 01 and 1.0 are one place.
            place = checks.positions(rows, named["position"].column)
            places = {"candidate.position": place.cast(pa.string())}
        columns |= reader.features(rows) | places
        numbers = None if histories is None else histories.add(rows)
        table = reader.add(rows, columns)
        if numbers is not None:
            table = table.append_column("history", pa.array(numbers))
        if not has_weight:
            has_weight = bool(pc.any(pc.greater(table["weight"], 0)).as_py())
        reader.keep(counts.weighted(table) if spec.counts else table)
    found = None if histories is None else histories.close(ledger)
    impressions = reader.close(ledger)
    if not has_weight:
        raise InputError(
            f"the weights of {spec.file} must not all be 0. Received: "
            f"{len(impressions)} rows of weight 0. Check the column "
            f"{named['weight'].column!r}."
        )
    if spec.counts:
        counts.close(ledger)
    return impressions, found


def _columns(
    rows: RawRows,
    settings: TableConfig,
    catalogue: pa.Array,
    rng: np.random.Generator,
) -> dict[str, pa.Array]:
    """The columns of a batch but for its features, after all checks of rows."""
    spec = settings.impressions
    named = spec.columns
    columns = log_columns(rows, spec, settings, catalogue)
    if "request_id" in named:
        request = checks.coded_ids(rows, named["request_id"].column, "string")
    else:
        request = _by_user_and_time(columns["user_id"], columns["timestamp"])
    columns = {"request_id": request, **columns}
    for name, label in spec.labels.items():
        columns[name] = _label(rows, name, label)
    if "weight" in named:
        columns["weight"] = checks.weights(rows, named["weight"].column)
    if "split" in named:
        by = request if "request_id" in named else None
        columns["split"] = _splits(rows, named["split"], by, rng)
    if spec.counts:
        columns |= _counts(rows, spec)
    return columns


def _label(rows: RawRows, name: str, label: LabelSpec) -> pa.Array:
    """A label of each row, as it is written or as its conditions say."""
    if label.type == "real":
        return checks.numbers(rows, label.column)
    if label.positive is None or label.negative is None:
        return checks.labels(rows, label.column)
    told = checks.told_labels(rows, label.positive, label.negative)
    kept = told.to_numpy()[rows.kept]
    if len(kept) and kept.all() == kept.any():
        rows.doubts += (
            f"{rows.source}: {name} is {kept[0]:d} in all rows; check the "
            f"conditions on {label.column}",
        )
    return told


def _by_user_and_time(
    users: pa.DictionaryArray, times: pa.Array
) -> pa.DictionaryArray:
    """A request for each user and second, named after both."""
    # Times of rows that are refused may be any numbers.
    seconds = np.clip(times.to_numpy(), 0, YEAR_10000)
    first = seconds.min(initial=YEAR_10000)
    span = seconds.max(initial=first) - first + 1
    pairs = users.indices.to_numpy() * span + (seconds - first)
    pairs = pa.array(pairs).dictionary_encode()
    user, second = np.divmod(pairs.dictionary.to_numpy(), span)
    names = pc.binary_join_element_wise(
        users.dictionary.take(pa.array(user)).cast(pa.string()),
        pa.array(second + first).cast(pa.string()),
        "-",
    )
    return pa.DictionaryArray.from_arrays(pairs.indices, names)


def _splits(
    rows: RawRows,
    spec: ColumnSpec,
    requests: pa.DictionaryArray | None,
    rng: np.random.Generator,
) -> pa.Array:
    """The split of each row, read off a column or drawn.

    A split is drawn for each request as a whole where requests are given, of
    its id alone.
    """
    if spec.shares is None:
        return checks.splits(rows, spec.column)
    valid, test = spec.shares
    if requests is None:
        draws = rng.random(len(rows))
    else:
        draws = draws_of(requests.dictionary)[requests.indices.to_numpy()]
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


class _Counts:
    """Rows with labels and weights, out of rows with counts.

    A row that was shown n times and clicked c times becomes one row with a
    click and the weight c, and one without and the weight n - c. Rows with the
    weight 0 are left out.
    """

    def __init__(self, spec: TableSpec) -> None:
        self._spec = spec
        self._read = self._made = self._never = 0
        self._shown = self._clicks = 0.0

    def weighted(self, table: pa.Table) -> pa.Table:
        """The rows of a batch."""
        shown = table["impressions"].to_numpy()
        clicks = table["clicks"].to_numpy()
        weights = np.stack([clicks, shown - clicks], axis=1).ravel()
        rows = np.flatnonzero(weights > 0)
        self._read += len(table)
        self._made += len(rows)
        self._never += int((shown == 0).sum())
        self._shown += float(shown.sum())
        self._clicks += float(clicks.sum())
        table = table.drop_columns(["impressions", "clicks"])
        table = table.take(pa.array(rows // 2))
        clicked = pa.array((rows % 2 == 0).astype(np.int8))
        place = table.column_names.index("timestamp") + 1
        table = table.add_column(place, "clicked", clicked)
        return table.add_column(place + 1, "weight", pa.array(weights[rows]))

    def close(self, ledger: Ledger) -> None:
        """Tells what became of the counts.

        Raises:
          InputError: where nothing was shown.
        """
        spec = self._spec
        if not self._made:
            raise InputError(
                f"the counts of {spec.file} must hold impressions. Received: "
                f"{self._read} rows, all shown 0 times. Check the column "
                f"{spec.counts['impressions']!r}."
            )
        ledger.note(
            f"{spec.file}: {self._read:,} rows of counts, "
            f"{self._shown:,.15g} impressions and {self._clicks:,.15g} clicks, "
            f"become {self._made:,} rows with weights; {self._never:,} were "
            "never shown"
        )
